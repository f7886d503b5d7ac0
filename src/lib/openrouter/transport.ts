import ky, { HTTPError, type KyInstance, NetworkError, TimeoutError } from 'ky'
import type { Retries } from '../core/results.js'
import type { Account } from './account.js'
import { OpenRouterError, withoutSecrets } from './errors.js'
import { errorAnswer } from './wire.js'

const TIMEOUT_MS = 30_000
/** Reading, changing and deleting are tried again so often; making a key never is. */
const MOST_RETRIES = 4
/** A server that asks for a longer pause than this is not waited for. */
export const LONGEST_WAIT_MS = 120_000

/** So much of OpenRouter's own words fits into a sentence; cut only when the secrets are out of them. */
const LONGEST_WORDS = 200
const HTML = 'an HTML page'
/** What servers and the networks before them say when the fault is theirs. */
const SERVER_ERRORS = [500, 502, 503, 504, 520, 521, 522, 523, 524, 529, 530]

/** The answer was cut short, or is not the JSON that it claims to be. */
class GarbledAnswerError extends Error {
  override readonly name = 'GarbledAnswerError'
}

/**
 * A ky instance for one OpenRouter account. `GET`, `PATCH` and `DELETE` are idempotent and are tried again
 * after lost connections, timeouts, answers that cannot be read, and 5xx; `POST /keys` never. 429 is left to the
 * caller, who also has to slow down.
 */
export function transport(baseUrl: string, managementKey: string, retries: Retries): KyInstance {
  return ky.create({
    prefix: baseUrl,
    headers: { authorization: `Bearer ${managementKey}` },
    timeout: TIMEOUT_MS,
    fetch: fetchWhole,
    retry: {
      limit: MOST_RETRIES,
      methods: ['get', 'patch', 'delete'],
      statusCodes: SERVER_ERRORS,
      afterStatusCodes: [503],
      maxRetryAfter: LONGEST_WAIT_MS,
      retryOnTimeout: true,
      jitter: true,
      backoffLimit: 5_000,
      shouldRetry: ({ error }) => {
        if (!(error instanceof HTTPError)) return isLost(error) || undefined
        return (retryAfterMs(error.response) ?? 0) > LONGEST_WAIT_MS ? false : undefined
      },
    },
    hooks: {
      beforeRetry: [({ error }) => countLost(retries, error)],
    },
  })
}

/** Whether no answer came, or one that tells nothing. ky knows a lost connection by its message, which may change. */
function isLost(error: unknown): boolean {
  return error instanceof NetworkError || error instanceof TypeError || error instanceof GarbledAnswerError
}

/**
 * A `fetch` that comes back only with the whole answer, so that the timeout covers the body too, and that
 * takes a success which is not JSON for the lost answer that it is.
 */
async function fetchWhole(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(input, init)
  const body = await response.text()
  if (response.ok && !isJson(body)) {
    const what = /^\s*</.test(body) ? HTML : 'something that is not JSON'
    throw new GarbledAnswerError(`${what} (status ${response.status})`)
  }
  const { status, statusText } = response
  const headers = new Headers(response.headers)
  const wait = retryAfterMs(response)
  // ky would read a date by this machine's clock.
  if (wait !== undefined) headers.set('retry-after', String(Math.ceil(wait / 1000)))
  return new Response(status === 204 || status === 304 ? null : body, { status, statusText, headers })
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Counts an answer that never came or tells nothing, since what was asked for is asked again then. */
export function countLost(retries: Retries, error: unknown): void {
  if (error instanceof HTTPError) {
    if (error.response.status >= 500) retries.serverErrors++
  } else if (error instanceof TimeoutError) retries.timeouts++
  else retries.lostConnections++
}

/**
 * How long an answer asks to wait, in milliseconds: `Retry-After` in seconds, or as a date by the clock of whoever sent
 * it, which may not be ours.
 */
export function retryAfterMs(response: Response): number | undefined {
  const header = response.headers.get('retry-after')
  if (header === null) return undefined
  const now = Date.parse(response.headers.get('date') ?? '') || Date.now()
  const ms = /^\d+(\.\d+)?$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** What was asked when a request failed. */
export interface Asked {
  /** The path behind the base URL: `keys`, `keys/HASH`, … */
  path: string
  /** Whether address and management key have been right before, so that it is not they that are wrong. */
  proven: boolean
}

/**
 * Turns whatever a request can fail with into the project's own error.
 * @param account whose address is named in the message, so that a wrong one is seen, and whose key never is
 */
export function asOpenRouterError(error: unknown, account: Account, asked: Asked): Error {
  const { baseUrl } = account
  if (error instanceof HTTPError) return fromAnswer(error, account, asked)
  if (error instanceof TimeoutError) {
    return new OpenRouterError('no_answer', `${baseUrl} did not answer within ${TIMEOUT_MS / 1000} seconds.`)
  }
  if (error instanceof GarbledAnswerError) {
    const advice = 'Is OPENROUTER_BASE_URL right? Is a login page or a proxy in the way?'
    return new OpenRouterError('bad_answer', `${baseUrl} answered with ${error.message}. ${advice}`)
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return new OpenRouterError('no_answer', 'Interrupted before OpenRouter answered.')
  }
  if (error instanceof NetworkError || error instanceof TypeError) {
    const reason = networkReason(error)
    return new OpenRouterError('no_answer', `${baseUrl} could not be reached (${reason}). Check the network.`)
  }
  return error instanceof Error ? error : new Error(String(error))
}

function fromAnswer(
  { response, data }: HTTPError,
  { managementKey, keyVariable = 'OPENROUTER_PROVISIONING_KEY' }: Account,
  { path, proven }: Asked,
): OpenRouterError {
  const { status } = response
  const words = withoutSecrets(wordsOf(response, data), managementKey).slice(0, LONGEST_WORDS)
  if (status === 401) {
    const advice = `Check ${keyVariable}; management keys are made at https://openrouter.ai/settings/management-keys.`
    return new OpenRouterError(
      'unauthorized',
      `OpenRouter does not accept the management key (401: ${words}). ${advice}`,
      401,
    )
  }
  if (status === 403) {
    // What is refused later, or in other words, is one key or one thing, and not all that this key may do.
    const advice =
      !proven || /\b(management|provisioning) keys?\b/i.test(words)
        ? ` The key in ${keyVariable} must be a management key, not one for using models.`
        : ''
    return new OpenRouterError('forbidden', `OpenRouter refused (403: ${words}).${advice}`, 403)
  }
  if (status === 429) {
    const advice = 'Wait a while, then run the same command again.'
    return new OpenRouterError(
      'rate_limited',
      `OpenRouter asks us to slow down (429: ${words}). ${advice}`,
      429,
    )
  }
  if (status < 500) {
    const advice = isWrongAddress(status, words, { path, proven })
      ? ' Is OPENROUTER_BASE_URL right? It ends in /api/v1.'
      : ''
    return new OpenRouterError('refused', `OpenRouter refused (${status}: ${words}).${advice}`, status)
  }
  const advice = 'Run the same command again in a while.'
  return new OpenRouterError('no_answer', `OpenRouter failed (${status}: ${words}). ${advice}`, status)
}

/** Whether a refusal looks like that of a server that knows no such address. */
function isWrongAddress(status: number, words: string, { path, proven }: Asked): boolean {
  if (words === HTML) return true
  // A list is always there, unless the workspace is gone that it is about; one key or guardrail may be gone.
  const isOfOne = /^(keys|guardrails)\/(?!assignments\b)/.test(path)
  return status === 404 && !proven && !isOfOne && !/workspace/i.test(words)
}

/** OpenRouter's own message, or what kind of answer it is; ky has parsed the body where it is called JSON. */
function wordsOf(response: Response, data: unknown): string {
  const isText = typeof data === 'string'
  const answer = errorAnswer.safeParse(isText && isJson(data) ? JSON.parse(data) : data)
  if (answer.success) return answer.data.error.message.replace(/\s+/g, ' ').replace(/\.$/, '')
  return isText && /^\s*</.test(data) ? HTML : response.statusText || 'no message'
}

/** The reason of a failed `fetch`, which hides it in nested causes: `ECONNREFUSED`, `ENOTFOUND`, … */
function networkReason(error: Error): string {
  let { message } = error
  let cause: unknown = error
  while (cause instanceof Error) {
    if ('code' in cause && typeof cause.code === 'string') return cause.code
    message = cause.message
    cause = cause instanceof AggregateError && cause.errors.length > 0 ? cause.errors[0] : cause.cause
  }
  return message
}
