// Fault: never-listened-busy
// An endless loop at the top level.
import http from 'node:http';
let n = 0;
while (n >= 0) n = (n + 1) % 1000;
http.createServer().listen(Number(process.env.PORT));
