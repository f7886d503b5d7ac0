import { createSandbox, type Sandbox, type SandboxOptions } from '../../src/lib/sandbox/sandbox.js'

/** What came back: the status, the headers, and the parsed JSON. */
export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  body: any
}

/** What a request may carry: `key` null sends no Authorization header at all, `raw` sends a body as it is. */
export interface Asking {
  body?: unknown
  raw?: string
  key?: string | null
}

/** Asks a sandbox directly, with its management key unless told otherwise. */
export async function ask(
  sandbox: Pick<Sandbox, 'fetch' | 'managementKey'>,
  method: string,
  path: string,
  { body, raw, key = sandbox.managementKey }: Asking = {},
): Promise<Answer> {
  const headers = new Headers(key === null ? {} : { authorization: `Bearer ${key}` })
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body))
  const request = new Request(`http://host/api/v1${path}`, { method, headers, body: sent })
  const response = await sandbox.fetch(request)
  return { status: response.status, headers: response.headers, body: await response.json() }
}

/** A clock that stands still until it is set. */
export function clockAt(start: string) {
  let time = new Date(start)
  return {
    now: () => time,
    set: (moment: string) => {
      time = new Date(moment)
    },
  }
}

/** A sandbox whose clock stands still at the start of a term, and the clock. */
export function sandboxAt(start: string, options: SandboxOptions = {}) {
  const clock = clockAt(start)
  return { clock, sandbox: createSandbox({ ...options, now: clock.now }) }
}
