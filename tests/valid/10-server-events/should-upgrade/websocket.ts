// This file is finished. What the two ends of a WebSocket say after the handshake: frames (RFC 6455, 5.2).
import type { Duplex } from 'node:stream';

const opcodes = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9, pong: 0xa };

/** Sends every message back as it came, until the other end closes. `head` is what came in with the handshake. */
export function echo(socket: Duplex, head: Buffer): void {
  let bytes = Buffer.alloc(0);
  const take = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let frame = readFrame(bytes); frame !== undefined; frame = readFrame(bytes)) {
      if (frame === 'refused') {
        socket.end(writeFrame(opcodes.close, Buffer.from([0x03, 0xea]))); // 1002, protocol error
        return;
      }
      bytes = bytes.subarray(frame.length);
      if (frame.opcode === opcodes.close) {
        socket.end(writeFrame(opcodes.close, frame.payload));
        return;
      }
      if (frame.opcode === opcodes.ping) socket.write(writeFrame(opcodes.pong, frame.payload));
      else if (frame.opcode !== opcodes.pong) socket.write(writeFrame(frame.opcode, frame.payload));
    }
  };
  take(head);
  socket.on('data', (chunk: Buffer) => {
    if (socket.writable) take(chunk);
  });
  socket.on('end', () => socket.end());
}

interface Frame {
  opcode: number;
  payload: Buffer;
  /** Of the whole frame, in bytes. */
  length: number;
}

/** The first frame in `bytes`; undefined while it is not whole. */
function readFrame(bytes: Buffer): Frame | 'refused' | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const opcode = first & 0x0f;
  // A client masks what it sends. A message in several frames is more than this lesson needs.
  const isWhole = (first & 0xf0) === 0x80;
  const isMasked = (second & 0x80) !== 0;
  if (!isWhole || !isMasked || !Object.values(opcodes).includes(opcode)) return 'refused';

  const shortLength = second & 0x7f;
  if (shortLength === 127) return 'refused';
  const start = shortLength === 126 ? 8 : 6;
  if (bytes.length < start) return undefined;
  const length = shortLength === 126 ? bytes.readUInt16BE(2) : shortLength;
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(start - 4, start);
  const masked = bytes.subarray(start, start + length);
  const payload = Buffer.from(masked.map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return { opcode, payload, length: start + length };
}

function writeFrame(opcode: number, payload: Buffer): Buffer {
  const short = payload.length < 126;
  const head = Buffer.alloc(short ? 2 : 4);
  head[0] = 0x80 | opcode;
  head[1] = short ? payload.length : 126;
  if (!short) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}
