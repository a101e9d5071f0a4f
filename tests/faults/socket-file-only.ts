// Fault: listens-on-a-path
// Listens on a socket file only.
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
const name = `workbook-fault-${process.pid}.sock`;
http.createServer((_req, res) => res.end('ok')).listen(process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), name));
