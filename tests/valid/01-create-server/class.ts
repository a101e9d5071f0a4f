// Right: a class that extends http.Server.
import http from 'node:http';

class Greeter extends http.Server {
  constructor() {
    super((_req, res) => {
      const body = Buffer.from('Hello, HTTP!', 'utf8');
      res.writeHead(200, 'Fine', ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length), 'X-Extra', 'yes']);
      res.end(body);
    });
    this.addListener('request', (req) => console.info('%s %s', req.method, req.url));
  }

  start(port: number): void {
    this.listen(port, () => {
      const address = this.address();
      console.log(`Server listening on http://localhost:${typeof address === 'string' ? address : address?.port}`);
    });
  }
}

const value = process.env.PORT === undefined ? 3000 : Number(process.env.PORT);
if (Number.isInteger(value) && value >= 0 && value < 65536 && !/[^0-9]/.test(process.env.PORT ?? '')) {
  new Greeter().start(value);
} else {
  console.error('PORT?');
  process.exit(1);
}
