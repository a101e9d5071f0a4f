// Fault: not-http
// Something listens, but it does not speak HTTP.
import net from 'node:net';
net.createServer((socket) => {
  socket.on('error', () => {});
  socket.end('220 mail.example ESMTP\r\n');
}).listen(Number(process.env.PORT), '127.0.0.1');
