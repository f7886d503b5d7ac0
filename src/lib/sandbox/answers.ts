/** A refusal with an HTTP status: thrown anywhere below the router, which answers it as the API does. */
export class Refusal extends Error {
  /** @param status the HTTP status, 400 to 599 */
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message)
    this.name = 'Refusal'
  }
}

/** An answer in JSON. */
export function json(body: unknown, status = 200): Response {
  return Response.json(body, { status })
}

/** An error in the API's form: `{"error": {"code": 401, "message": "…"}}`. */
export function failure(status: number, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error: { code: status, message } }, { status, headers })
}

/** The words of an error for which a rule gave none. */
export function usualMessage(status: number): string {
  return USUAL_MESSAGES[status] ?? 'Something went wrong'
}

const USUAL_MESSAGES: Record<number, string> = {
  400: 'Bad request',
  401: 'Missing or invalid API key',
  403: 'Only management keys can perform this operation',
  404: 'Not found',
  429: 'Rate limit exceeded',
  500: 'Internal server error',
  502: 'Bad gateway',
  503: 'Service unavailable',
}
