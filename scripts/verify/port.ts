/** A README says `localhost:3000`; its blocks run on ports that the system gave. */

export const documentedPort = 3000;

const host = String.raw`(?:localhost|127\.0\.0\.1|\[::1\])`;
/** The places where 3000 is a port: `localhost:3000`, `localhost 3000`, `PORT=3000`, `tcp:3000`, `connect(3000`, `port: 3000`. */
const places = new RegExp(
  String.raw`(${host}[:\s/]\s*|\bPORT=|\bport:?\s+|\btcp:|\s:|\b(?:connect|listen)\()${documentedPort}\b`,
  'g',
);

/** The command as it has to be given while the program listens on `port`. */
export function withRealPort(command: string, port: number): string {
  // curl is told where to connect (see curlrc), so that the Host header field it sends is the one in the README.
  const curl = /\bcurl\b/.test(command);
  return command.replace(places, (all, before: string) =>
    curl && before.endsWith(':') ? all : before + String(port),
  );
}

/** Output as it would be if the program listened on port 3000. */
export const withDocumentedPort = (output: string, port: number): string =>
  output.replace(new RegExp(String.raw`(?<!\d)${port}(?!\d)`, 'g'), String(documentedPort));

/** curl's configuration: `localhost:3000` is reached at the real port, and it prints as on a terminal: at once, and without a progress meter. */
export const curlrc = (port: number): string =>
  [
    'no-progress-meter',
    'no-buffer',
    ...['localhost', '127.0.0.1'].map(
      (name) => `connect-to = "${name}:${documentedPort}:${name}:${port}"`,
    ),
    '',
  ].join('\n');
