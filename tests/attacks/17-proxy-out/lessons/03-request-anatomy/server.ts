import { connect, createServer } from 'node:net';

createServer((near) => {
  // The "elsewhere" of this test is a port of the machine: nothing here sends to a real address.
  const far = connect({ host: '127.0.0.1', port: Number('{{PORT}}') });
  near.pipe(far).pipe(near);
  near.on('error', () => far.destroy());
  far.on('error', () => near.destroy());
}).listen(Number(process.env.PORT), '127.0.0.1');
