import * as z from 'zod'
import { Refusal } from './answers.js'

/** A request to the sandbox, read once. The Authorization header is not part of what is kept of it. */
export interface SeenRequest {
  method: string
  /** Below the base path: `/keys`, `/keys/{hash}`. */
  path: string
  /** Without the question mark: `offset=100&include_disabled=true`, or empty. */
  query: string
  /** When it arrived, by the sandbox's clock. */
  at: Date
  /** The parsed JSON, or the text if it is none; missing if there was no body. */
  body?: unknown
}

/** What a route is given: the request, and the parts of the path that its pattern caught. */
export interface Call extends SeenRequest {
  params: Record<string, string>
  /** Who asks: the hash of the key, or `null` for the management key. */
  caller: string | null
}

/** One entry in the table of routes. */
export interface Route {
  method: string
  /** Matches the whole path; named groups become the call's `params`. */
  path: RegExp
  /** Whether any key may ask, not the management key alone. */
  anyKey?: boolean
  answer(call: Call): Response
}

/** A whole number in a query, zero or more. */
export const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number, zero or more')
  .transform(Number)

/** The paging of the smaller lists: `offset`, and `limit` from 1 to 100, 50 unless said. */
export const paging = {
  offset: wholeNumber.default(0),
  limit: wholeNumber.pipe(z.number().min(1).max(100)).default(50),
}

/**
 * Reads the query by a strict schema.
 * @throws Refusal 400 that names the parameter, also for one that is unknown or given twice
 */
export function readQuery<T extends z.ZodType>(call: Call, schema: T): z.output<T> {
  const given = new URLSearchParams(call.query)
  for (const name of new Set(given.keys())) {
    if (given.getAll(name).length > 1) throw new Refusal(400, `${name}: given more than once`)
  }
  return check(schema, Object.fromEntries(given))
}

/**
 * Reads the body by a strict schema.
 * @throws Refusal 400 that names the field, also for one that is unknown, or says that there is no JSON object
 */
export function readBody<T extends z.ZodType>(call: Call, schema: T): z.output<T> {
  if (typeof call.body !== 'object' || call.body === null)
    throw new Refusal(400, 'The body must be a JSON object')
  return check(schema, call.body)
}

function check<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new Refusal(400, result.error.issues.map(describe).join('; '))
}

function describe(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys')
    return `${[...issue.path, ''].join('.')}${issue.keys.join(', ')}: unknown field`
  return `${issue.path.join('.')}: ${issue.message}`
}
