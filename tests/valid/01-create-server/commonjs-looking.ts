// Right: require and function expressions, as in old tutorials.
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const http = require('http') as typeof import('node:http');

var port = process.env.PORT || '3000';
if (!port.match(/^\d+$/) || +port >= 65536) {
  console.error('PORT must be a number below 65536, got ' + port);
  process.exit(1);
}

var server = http.createServer(function (request, response) {
  response.setHeader('Content-Type', 'text/plain; charset=utf-8');
  response.end('Hello, HTTP!\n');
});
server.on('request', function (request) {
  console.log(request.method + ' ' + request.url);
});
server.listen(port, function () {
  console.log('Server listening on http://localhost:' + (server.address() as import('net').AddressInfo).port);
});
