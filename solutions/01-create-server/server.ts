import http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The handler: Node calls it once for every request. */
function answer(req: IncomingMessage, res: ServerResponse): void {
  //#region step 1: Answer every request
  //: res.writeHead(501).end('TODO(step 1): Answer every request\n');
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end('Hello, HTTP!\n');
  //#endregion
}

/** The port that the environment asks for. */
function choosePort(text = '3000'): number {
  //#region step 2: Refuse a wrong port
  //: return Number(text) || 0;
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
    console.error(`PORT must be a whole number from 0 to 65535, not "${text}".`);
    process.exit(1);
  }
  return Number(text);
  //#endregion
}

const port = choosePort(process.env.PORT);
const server = http.createServer(answer);

//#region step 3: Listen a second time
//: // server.on(…) takes the name of an event and a listener.
server.on('request', (req) => {
  console.log(`${req.method} ${req.url}`);
});
//#endregion

server.listen(port, '127.0.0.1', () => {
  //#region step 4: Say when the port is open
  //: // This function runs when the port is open. Which port is it? Ask server.address().
  const address = server.address();
  if (address !== null && typeof address === 'object') {
    console.log(`Server listening on http://localhost:${address.port}`);
  }
  //#endregion
});
