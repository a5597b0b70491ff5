import { type Agent, get } from 'node:http';

/**
 * Asks for an admin page, as a browser does; settles with all of it.
 * @throws where it is not answered with 200; `/syncz` may answer anything.
 */
export function fetchPage(agent: Agent, port: number, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { agent, host: '127.0.0.1', port, path, headers: { accept: 'text/html' } };
    const request = get(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        const isFine = response.statusCode === 200 || path === '/syncz';
        if (isFine) resolve(Buffer.concat(parts));
        else reject(new Error(`${path} answers ${response.statusCode}`));
      });
    });
    request.on('error', reject);
  });
}
