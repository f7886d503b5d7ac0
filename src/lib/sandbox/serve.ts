import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BASE_PATH, type Sandbox } from './sandbox.js'

/** A sandbox that can be reached over HTTP. */
export interface ServedSandbox {
  /** The base of the API: `http://127.0.0.1:PORT/api/v1`. */
  url: string
  /** Stops at once, breaking off what is still under way. */
  close(): Promise<void>
}

/**
 * Serves a sandbox over HTTP, on this machine alone unless another host is given.
 * @param options `port` 0 takes any that is free
 * @throws the error of `listen`: its `code` is `EADDRINUSE` for a port that is taken, `EACCES` for a forbidden one
 */
export async function serve(
  sandbox: Pick<Sandbox, 'fetch'>,
  { port = 0, host = '127.0.0.1' }: { port?: number; host?: string } = {},
): Promise<ServedSandbox> {
  const server = createServer((incoming, outgoing) => {
    answer(sandbox, incoming, outgoing).catch(() => incoming.socket.destroy())
  })
  // A client that takes an idle connection up again must not find it closed at that very moment.
  server.keepAliveTimeout = 60_000
  server.listen(port, host)
  await once(server, 'listening')
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}${BASE_PATH}`,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(sandbox: Pick<Sandbox, 'fetch'>, incoming: IncomingMessage, outgoing: ServerResponse) {
  const gone = new AbortController()
  outgoing.once('close', () => gone.abort())
  const response = await sandbox.fetch(await toRequest(incoming, gone.signal))
  if (response.type === 'error') {
    incoming.socket.destroy()
    return
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  for await (const chunk of response.body ?? []) outgoing.write(chunk)
  outgoing.end()
}

async function toRequest(incoming: IncomingMessage, signal: AbortSignal): Promise<Request> {
  const { method = 'GET', url = '/', headers } = incoming
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const body = method === 'GET' || method === 'HEAD' ? undefined : Buffer.concat(chunks)
  const { authorization = '', 'content-type': type = '' } = headers
  // The host is of no interest; the path is taken as it stands, so that `//keys` does not become a host.
  return new Request(`http://sandbox${url}`, {
    method,
    headers: { authorization, 'content-type': type },
    body,
    signal,
  })
}
