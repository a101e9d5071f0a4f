// This file is finished. It mounts your helpers, so that curl and the tests can reach them.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { HttpError, readBodyJSON, sendJSON } from './helpers.ts';

const notes: unknown[] = [];
let reading = 0;

async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
  res.setHeader('Cache-Control', 'no-store');
  if (!req.url?.startsWith('/')) throw new HttpError(400, 'Bad request target');
  const { pathname, searchParams } = new URL(`http://localhost${req.url}`);

  switch (`${req.method} ${pathname}`) {
    case 'GET /show': {
      const data = { text: searchParams.get('text') };
      const status = searchParams.get('status');
      if (status === null) sendJSON(res, data);
      else sendJSON(res, data, Number(status));
      break;
    }
    case 'GET /null':
      sendJSON(res, null);
      break;
    case 'GET /cycle': {
      const team = { name: 'Web', members: [{ name: 'Zoë', team: {} }] };
      for (const member of team.members) member.team = team;
      sendJSON(res, team);
      break;
    }
    case 'GET /bigint':
      sendJSON(res, { stars: 2n ** 70n });
      break;
    case 'GET /undefined':
      sendJSON(res, undefined);
      break;
    case 'GET /twice':
      sendJSON(res, { answer: 'first' });
      sendJSON(res, { answer: 'second' });
      break;
    case 'GET /half':
      res.writeHead(200, { 'Content-Type': 'application/json' });
      res.write('{"answer":');
      throw new Error('Something failed after the answer had begun');
    case 'GET /notes':
      sendJSON(res, notes);
      break;
    case 'POST /notes': {
      const note = await countReading(readBodyJSON(req));
      notes.push(note);
      if (notes.length > 100) notes.shift();
      sendJSON(res, note, 201);
      break;
    }
    case 'GET /reading':
      sendJSON(res, { reading });
      break;
    default:
      throw new HttpError(404, 'Not found');
  }
}

/** Counts the calls of readBodyJSON that have neither resolved nor rejected yet. */
async function countReading(body: Promise<unknown>): Promise<unknown> {
  reading += 1;
  try {
    return await body;
  } finally {
    reading -= 1;
  }
}

const server = createServer((req, res) => {
  handle(req, res).catch((error: unknown) => {
    // Where a body is still on its way, nobody will read it: say that this connection ends here.
    if (!req.complete && !res.headersSent) res.setHeader('Connection', 'close');
    if (error instanceof HttpError) {
      sendJSON(res, { error: error.message }, error.status);
    } else {
      console.error(error);
      sendJSON(res, { error: 'Internal Server Error' }, 500);
    }
  });
});

const port = Number(process.env.PORT ?? 3000);
server.listen(port, '127.0.0.1', () => {
  const address = server.address();
  const listening = typeof address === 'object' && address ? address.port : port;
  console.log(`Server listening on http://localhost:${listening}`);
});
