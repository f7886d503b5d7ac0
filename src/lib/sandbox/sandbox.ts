import { Account } from './account.js'
import { failure } from './answers.js'
import type { SeenRequest } from './call.js'
import { sleep } from './effects.js'
import { Faults } from './faults.js'
import { populate } from './people.js'
import { createRouter } from './router.js'
import { SandboxState } from './state.js'

/** The management key of a sandbox that was given none. It opens nothing else. */
export const SANDBOX_MANAGEMENT_KEY = 'sk-or-v1-sandbox-management-key-that-opens-nothing-else'

/** The path under which the API lies, as at OpenRouter. */
export const BASE_PATH = '/api/v1'

/** What a sandbox may be told. */
export interface SandboxOptions {
  /** Default: {@link SANDBOX_MANAGEMENT_KEY}. */
  managementKey?: string
  /** How many keys of made-up people are already there. Default: none. */
  keys?: number
  /** Milliseconds that each answer takes: one half on the way to the work, the other on the way back. Default: 0. */
  latency?: number
  /** The clock. Default: that of the machine. */
  now?: () => Date
}

/** A simulated OpenRouter: an account of its own, in memory, that ends with the process. */
export interface Sandbox {
  /**
   * Answers a request as OpenRouter's management API would, at any host, below `/api/v1`.
   * `Response.error()` stands for a broken connection.
   */
  fetch(request: Request): Promise<Response>
  readonly managementKey: string
  /** What is in the account and what was asked of it. */
  readonly state: SandboxState
  /** What goes wrong, and when. Nothing, unless told. */
  readonly faults: Faults
}

/** Makes a sandbox. It answers nobody until its `fetch` is called, or it is served. */
export function createSandbox(options: SandboxOptions = {}): Sandbox {
  const { managementKey = SANDBOX_MANAGEMENT_KEY, keys = 0, latency = 0, now = () => new Date() } = options
  const account = new Account(managementKey, now)
  populate(account, keys)
  const route = createRouter(account)
  const state = new SandboxState(account)
  const faults = new Faults(now)

  async function fetch(request: Request): Promise<Response> {
    const seen = await read(request, now())
    if (seen === undefined) return failure(404, 'Not found')
    state.requests.push(seen)
    const authorization = request.headers.get('authorization')
    if (latency > 0) await sleep(latency / 2)
    const answer = await faults.answer(seen, () => route(seen, authorization), request.signal)
    if (latency > 0) await sleep(latency / 2)
    return answer
  }

  return { fetch, managementKey, state, faults }
}

/** Reads what is kept of a request; nothing if it is for another path than the API's. */
async function read(request: Request, at: Date): Promise<SeenRequest | undefined> {
  const { pathname, search } = new URL(request.url)
  if (!pathname.startsWith(`${BASE_PATH}/`)) return undefined
  const text = await request.text().catch(() => '')
  const seen = { method: request.method, path: pathname.slice(BASE_PATH.length), query: search.slice(1), at }
  return text === '' ? seen : { ...seen, body: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
