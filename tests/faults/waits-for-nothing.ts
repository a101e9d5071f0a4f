// Fault: await-never-settled
// A top-level await that nothing settles.
import http from 'node:http';
await new Promise(() => {});
http.createServer().listen(Number(process.env.PORT));
