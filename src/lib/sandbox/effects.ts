import { failure, usualMessage } from './answers.js'
import type { SeenRequest } from './call.js'

/**
 * What a fault does to a request. "The work" is what the request would do without the fault; where none is
 * done, nothing changes in the account. An answer that never comes ends when the request is aborted.
 *
 * - `lose-answer`: does the work, then the connection breaks
 * - `reset`: the connection breaks before anything is done
 * - `error`: answers `status` (500) with `message`, no work
 * - `error-after`: does the work, then answers `status` (500) with `message`
 * - `rate-limit`: answers `status` (429), no work; `retryAfter` in seconds, as a date, or as the header's own
 *   text; without it there is no header
 * - `per-second`: lets `limit` requests a second of the sandbox's clock pass, the rest get 429, `Retry-After: 1`
 * - `slow`: waits `ms` before the work
 * - `hang`: never answers, after the work if `work` says so
 * - `late`: never answers, and does the work `ms` later, whether or not anyone still waits; if `reset` says so, the
 *   connection breaks at once
 * - `html`: answers an HTML page with `status` (502), after the work if `work` says so
 * - `garbage`: does the work, then answers JSON that breaks off in the middle
 * - `wrong-shape`: does the work, then answers `body`, by default JSON of no known shape, with the right status; a
 *   function makes it from the true answer
 * - `hang-body`: does the work, sends the head and half of the answer, never the rest
 * - `before`: calls `run` with 1 for the first matching request, 2 for the second…; then all goes on as usual
 */
export type Effect =
  | { kind: 'lose-answer' }
  | { kind: 'reset' }
  | { kind: 'error'; status?: number; message?: string }
  | { kind: 'error-after'; status?: number; message?: string }
  | { kind: 'rate-limit'; status?: number; retryAfter?: number | string | Date }
  | { kind: 'per-second'; limit: number }
  | { kind: 'slow'; ms: number }
  | { kind: 'hang'; work?: boolean }
  | { kind: 'late'; ms: number; reset?: boolean }
  | { kind: 'html'; status?: number; work?: boolean }
  | { kind: 'garbage' }
  | { kind: 'wrong-shape'; body?: unknown }
  | { kind: 'hang-body' }
  | { kind: 'before'; run: (n: number, request: SeenRequest) => void }

/** The effects that end a request, as the others let it go on. */
export type EndingEffect = Exclude<Effect, { kind: 'per-second' | 'before' }>

/**
 * Answers a request as the effect wants it.
 * @param work does what the request asks for and gives the true answer
 * @param signal aborted when the one who asked no longer waits
 * @returns `Response.error()` stands for a broken connection
 */
export async function answerWith(
  effect: EndingEffect,
  work: () => Response,
  signal: AbortSignal,
): Promise<Response> {
  switch (effect.kind) {
    case 'lose-answer':
      work()
      return Response.error()
    case 'reset':
      return Response.error()
    case 'error-after':
      work()
      return error(effect)
    case 'error':
      return error(effect)
    case 'rate-limit':
      return failure(effect.status ?? 429, usualMessage(429), retryAfterHeader(effect.retryAfter))
    case 'slow':
      await sleep(effect.ms)
      return work()
    case 'hang':
      if (effect.work) work()
      return never(signal)
    case 'late':
      setTimeout(work, effect.ms)
      return effect.reset ? Response.error() : never(signal)
    case 'html':
      if (effect.work) work()
      return htmlPage(effect.status ?? 502)
    case 'garbage':
      return breakOff(work())
    case 'wrong-shape':
      return misshape(work(), 'body' in effect ? effect.body : { result: ['unexpected'] })
    case 'hang-body':
      return stall(work(), signal)
  }
}

/** Waits so many milliseconds by the ordinary timer, which tests may replace. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function error({
  status = 500,
  message = usualMessage(status),
}: {
  status?: number
  message?: string
}): Response {
  return failure(status, message)
}

function retryAfterHeader(value: number | string | Date | undefined): Record<string, string> {
  if (value === undefined) return {}
  return { 'Retry-After': value instanceof Date ? value.toUTCString() : String(value) }
}

function never(signal: AbortSignal): Promise<Response> {
  return new Promise((resolve) => {
    const giveUp = () => resolve(Response.error())
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
  })
}

function htmlPage(status: number): Response {
  const page = `<!DOCTYPE html>\n<html><head><title>${status}</title></head><body><h1>Please try again</h1></body></html>\n`
  return new Response(page, { status, headers: { 'content-type': 'text/html; charset=utf-8' } })
}

async function breakOff(answer: Response): Promise<Response> {
  const text = await answer.text()
  return new Response(text.slice(0, text.length / 2), { status: answer.status, headers: answer.headers })
}

async function misshape(answer: Response, body: unknown): Promise<Response> {
  const { status } = answer
  return Response.json(typeof body === 'function' ? body(await answer.json()) : body, { status })
}

async function stall(answer: Response, signal: AbortSignal): Promise<Response> {
  const bytes = new Uint8Array(await answer.arrayBuffer())
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.subarray(0, bytes.length / 2))
      signal.addEventListener('abort', () => controller.error(signal.reason), { once: true })
    },
  })
  // With its length told, half an answer cannot be taken for a whole one when the connection ends.
  const headers = new Headers(answer.headers)
  headers.set('content-length', String(bytes.length))
  return new Response(body, { status: answer.status, headers })
}
