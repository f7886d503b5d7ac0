import type { OutcomeKind } from '../core/outcome.js'
import { OpenRouterError } from '../openrouter/errors.js'

/** What a request that failed leaves its student with: only a refusal proves that nothing was done. */
export function outcomeOfFailure(error: unknown): Extract<OutcomeKind, 'failed' | 'in doubt' | 'not tried'> {
  if (!(error instanceof OpenRouterError) || !error.provesNothingDone) return 'in doubt'
  return error.code === 'not_sent' ? 'not tried' : 'failed'
}
