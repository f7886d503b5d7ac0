import { ClassKeysError } from '../core/errors.js'

/**
 * OpenRouter did not do what was asked. Carries the status and OpenRouter's own words, and never the request:
 * its headers hold the management key.
 */
export class OpenRouterError extends ClassKeysError {
  override readonly name = 'OpenRouterError'

  /**
   * @param code a stable word: `unauthorized`, `forbidden`, `refused`, `rate_limited`, `no_answer`, `bad_answer`,
   *   `not_sent`
   * @param status the HTTP status, or undefined where there was no answer
   */
  constructor(
    code: string,
    message: string,
    readonly status?: number,
    options?: ErrorOptions,
  ) {
    super(code, message, 1, options)
  }

  /** Whether the request had been sent before, and no clear answer had come: that one may have done its work. */
  afterUnclearTry = false

  /** Whether the answer proves that nothing was made or changed: OpenRouter refused the request. */
  get provesNothingDone(): boolean {
    if (this.afterUnclearTry) return false
    return this.code === 'not_sent' || (this.status !== undefined && this.status >= 400 && this.status < 500)
  }
}

/** Hides whatever looks like a key in words that come from outside. */
export function withoutSecrets(text: string, managementKey: string): string {
  return text.replaceAll(managementKey, '[management key]').replace(/sk-or-[\w-]{8,}/g, '[key]')
}
