// Fault: merge-markers
// The marks of an unfinished merge.
import http from 'node:http';
<<<<<<< HEAD
const text = 'mine';
=======
const text = 'theirs';
>>>>>>> main
http.createServer((_req, res) => res.end(text)).listen(Number(process.env.PORT));
