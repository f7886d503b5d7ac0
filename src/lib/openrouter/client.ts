import { HTTPError, type KyInstance } from 'ky'
import type * as z from 'zod'
import type { GuardrailRef, KeyRequest } from '../core/creation.js'
import type { Key } from '../core/key.js'
import type { Limit, LimitReset, Usd } from '../core/money.js'
import type { Retries } from '../core/results.js'
import type { Account } from './account.js'
import { OpenRouterError } from './errors.js'
import { readWhole } from './listing.js'
import { Pace } from './pace.js'
import { asOpenRouterError, countLost, LONGEST_WAIT_MS, retryAfterMs, transport } from './transport.js'
import {
  assignedAnswer,
  assignmentsAnswer,
  type CreatedKey,
  createdAnswer,
  creditsAnswer,
  deletedAnswer,
  guardrailsAnswer,
  keyAnswer,
  pageAnswer,
  workspacesAnswer,
} from './wire.js'

export type { Account } from './account.js'

/** What one `PATCH` changes; what is absent stays. */
export interface KeyChange {
  /** US dollars; null is unlimited. */
  limit?: Limit
  disabled?: boolean
  /** Null never refills. */
  limitReset?: LimitReset
}

/** A workspace of the account: keys are in one, and cannot move. */
export interface Workspace {
  id: string
  name: string
  /** The name in addresses: `comp1000-2026`. */
  slug: string
}

/** The longest page of the smaller lists. */
const PAGE = 100
/** What is only worth knowing is not waited for any longer, in milliseconds. */
const CREDITS_PATIENCE_MS = 5_000

/** A request that is refused as too fast waits so long in all, in milliseconds, before it counts as failed. */
const PATIENCE_MS = 180_000
/** A reading or a change whose answer makes no sense is sent again so often. */
const MOST_RIDDLES = 3

/** The management API of one OpenRouter account. Every method throws OpenRouterError. */
export class OpenRouter {
  /** What had to be asked again so far. */
  readonly retries: Retries = { rateLimited: 0, serverErrors: 0, timeouts: 0, lostConnections: 0 }
  /** The workspace that lists cover and new keys go into; undefined is the account's default one. */
  workspaceId: string | undefined
  readonly #http: KyInstance
  readonly #pace: Pace
  readonly #account: Account
  readonly #signal: AbortSignal | undefined
  readonly #stopping: AbortSignal | undefined
  /** Whether OpenRouter has done anything of what was asked: then address and management key are right. */
  #proven = false

  /**
   * @param concurrency how many requests run at a time at best; fewer after OpenRouter asks to slow down
   * @param stopping lets what is under way come home, and sends nothing more
   * @param signal gives up on everything under way
   */
  constructor(
    account: Account,
    {
      concurrency = 8,
      stopping,
      signal,
    }: { concurrency?: number; stopping?: AbortSignal; signal?: AbortSignal } = {},
  ) {
    this.#account = account
    this.#http = transport(account.baseUrl, account.managementKey, this.retries)
    this.#pace = new Pace(concurrency)
    this.#signal = signal
    this.#stopping = stopping
  }

  /**
   * Every key of the account, disabled ones included, newest first; consistent even if keys come and go.
   * @param onProgress is told how many keys have been read so far
   */
  listKeys(onProgress?: (count: number) => void): Promise<Key[]> {
    // Where one page fails for good, the others under way must not go on by themselves.
    const failed = new AbortController()
    const readPage = (offset: number) =>
      this.#send('get', 'keys', pageAnswer, {
        searchParams: { offset, include_disabled: true, ...this.#workspace },
        signal: failed.signal,
      })
    return readWhole(readPage, onProgress).catch((error) => {
      failed.abort()
      throw error
    })
  }

  /**
   * Makes a key and gives its secret, which no later answer will hold. Sent again only after an answer that
   * proves that nothing was made; an error that does not prove it leaves the creation in doubt.
   */
  createKey(request: KeyRequest): Promise<CreatedKey> {
    const { keyName: name, limit, limitReset: limit_reset, expiresAt: expires_at } = request
    const json = { name, limit, limit_reset, ...(expires_at !== null && { expires_at }), ...this.#workspace }
    return this.#send('post', 'keys', createdAnswer, { json })
  }

  /** One key by its hash, or undefined where there is none. */
  async findKey(hash: string): Promise<Key | undefined> {
    try {
      return await this.#send('get', `keys/${encodeURIComponent(hash)}`, keyAnswer)
    } catch (error) {
      if (error instanceof OpenRouterError && error.status === 404) return undefined
      throw error
    }
  }

  /** Changes a key and gives it whole, as it is afterwards. */
  updateKey(hash: string, { limitReset, ...rest }: KeyChange): Promise<Key> {
    const json = { ...rest, ...(limitReset !== undefined && { limit_reset: limitReset }) }
    return this.#send('patch', `keys/${encodeURIComponent(hash)}`, keyAnswer, { json })
  }

  /** Deletes a key. One that is gone already counts as deleted: a retried request may have done it the first time. */
  async deleteKey(hash: string): Promise<void> {
    try {
      await this.#send('delete', `keys/${encodeURIComponent(hash)}`, deletedAnswer)
    } catch (error) {
      if (!(error instanceof OpenRouterError && error.status === 404)) throw error
    }
  }

  /** What the account has left, in US dollars; all its keys spend from it. Gives up soon: it is only worth knowing. */
  balance(signal?: AbortSignal): Promise<Usd> {
    const patience = AbortSignal.timeout(CREDITS_PATIENCE_MS)
    return this.#send('get', 'credits', creditsAnswer, { signal: anyOf(signal, patience), patient: false })
  }

  /** The workspaces of the account. */
  workspaces(): Promise<Workspace[]> {
    return this.#list((searchParams) => this.#send('get', 'workspaces', workspacesAnswer, { searchParams }))
  }

  /** The guardrails of the workspace. */
  guardrails(): Promise<GuardrailRef[]> {
    return this.#list((page) =>
      this.#send('get', 'guardrails', guardrailsAnswer, { searchParams: { ...page, ...this.#workspace } }),
    )
  }

  /** Which key has which guardrail: ids by hash, for all keys of the account that have one. */
  async guardrailAssignments(): Promise<Map<string, string>> {
    const path = 'guardrails/assignments/keys'
    const all = await this.#list((searchParams) =>
      this.#send('get', path, assignmentsAnswer, { searchParams }),
    )
    return new Map(all.map(({ hash, guardrailId }) => [hash, guardrailId]))
  }

  /** Gives keys a guardrail in place of any other; returns how many have got it. May be sent again, as a change may. */
  assignGuardrail(id: string, hashes: readonly string[]): Promise<number> {
    const path = `guardrails/${encodeURIComponent(id)}/assignments/keys`
    return this.#send('post', path, assignedAnswer, { json: { key_hashes: hashes }, idempotent: true })
  }

  get #workspace(): { workspace_id?: string } {
    return this.workspaceId === undefined ? {} : { workspace_id: this.workspaceId }
  }

  /** All pages of a list that says how long it is, one after another. */
  async #list<T>(
    readPage: (page: { offset: number; limit: number }) => Promise<{ data: T[]; total: number | undefined }>,
  ): Promise<T[]> {
    const all = new Map<string, T>()
    for (let offset = 0; ; ) {
      const { data, total } = await readPage({ offset, limit: PAGE })
      const before = all.size
      for (const item of data) all.set(JSON.stringify(item), item)
      offset += data.length
      // A page that brings nothing new would come for ever from a server that ignores the offset.
      if (all.size === before || offset >= (total ?? Number.POSITIVE_INFINITY)) return [...all.values()]
    }
  }

  async #send<Schema extends z.ZodType>(
    method: 'get' | 'post' | 'patch' | 'delete',
    path: string,
    schema: Schema,
    { signal, idempotent = method !== 'post', patient = true, ...options }: SendOptions = {},
  ): Promise<z.output<Schema>> {
    const fail = (reason: unknown) => asOpenRouterError(reason, this.#account, { path, proven: this.#proven })
    const givingUp = anyOf(this.#signal, signal)
    const starting = anyOf(givingUp, this.#stopping)
    let waited = 0
    let unclear = false
    const noteRetry = () => {
      unclear = true
    }
    for (let slowDowns = 0, riddles = 0; ; ) {
      const slot = await this.#pace.slot(starting).catch((reason) => {
        throw this.#stopping?.aborted ? notSent(unclear) : fail(reason)
      })
      try {
        const response = await this.#http(path, {
          ...options,
          method,
          // What may be sent again follows from the method, but for this.
          ...(method === 'post' && idempotent && { retry: { methods: ['post'] } }),
          ...(!patient && { retry: 0 }),
          hooks: { beforeRetry: [noteRetry] },
          signal: givingUp,
        })
        slot.succeeded()
        const answer = understood(schema, await response.json())
        this.#proven = true
        return answer
      } catch (error) {
        if (error instanceof RiddleError) {
          // Reading and changing are idempotent; an answer to a creation that makes no sense is a lost one.
          if (!idempotent) countLost(this.retries, error)
          if (!idempotent || riddles++ >= MOST_RIDDLES) throw error
          this.retries.lostConnections++
          unclear = true
          continue
        }
        const wait = patient ? waitOf(error, slowDowns++) : undefined
        if (wait === undefined || waited + wait > PATIENCE_MS) {
          const failure = fail(error)
          if (failure instanceof OpenRouterError) failure.afterUnclearTry = unclear
          if (!idempotent) countLost(this.retries, error)
          throw failure
        }
        waited += wait
        this.retries.rateLimited++
        slot.slowDown(wait)
      } finally {
        slot.release()
      }
    }
  }
}

function anyOf(...signals: (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}

/** The run is ending, and a request that was waiting for its turn has not been sent (again). */
function notSent(unclear: boolean): OpenRouterError {
  const error = new OpenRouterError('not_sent', 'Interrupted before the request was sent.')
  error.afterUnclearTry = unclear
  return error
}

/** What goes along with a request. */
interface SendOptions {
  json?: unknown
  searchParams?: Record<string, string | number | boolean>
  /** Whether it is waited for where OpenRouter is too busy to answer; yes unless this says otherwise. */
  patient?: boolean
  /** Whether it may be sent again after an answer that tells nothing; of a `POST` only where this says so. */
  idempotent?: boolean
  /** Gives up on this request alone. */
  signal?: AbortSignal
}

/** How long to wait before a refused request is sent again, in milliseconds; undefined where it is not to be. */
function waitOf(error: unknown, slowDowns: number): number | undefined {
  if (!(error instanceof HTTPError) || error.response.status !== 429) return undefined
  // A pause of nothing is none: a server that says so again and again would be asked without end.
  const wait = retryAfterMs(error.response) || Math.min(500 * 2 ** slowDowns, 30_000)
  return wait <= LONGEST_WAIT_MS ? wait : undefined
}

function understood<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const result = schema.safeParse(answer)
  if (result.success) return result.data
  const where = result.error.issues[0]?.path.join('.') ?? ''
  throw new RiddleError(
    'bad_answer',
    `OpenRouter's answer is not what its documentation promises (${where}).`,
  )
}

/** An answer that is JSON, and not of the shape that it must have. */
class RiddleError extends OpenRouterError {}
