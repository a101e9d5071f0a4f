// Fault: threw-while-loading
// Throws at the top level.
import http from 'node:http';
const settings = JSON.parse('null') as { port: number };
http.createServer().listen(settings.port);
