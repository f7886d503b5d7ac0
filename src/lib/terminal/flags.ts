import { CLIError } from '@oclif/core/errors'
import * as Flags from '@oclif/core/flags'
import { parseSince } from '../core/history.js'
import { parseUsd } from '../core/money.js'

/** `--db`: where the ledger is. */
export const dbFlag = Flags.string({
  summary: 'The ledger, an SQLite database.',
  default: 'keys.db',
  env: 'CLASS_KEYS_DB',
  helpValue: 'PATH',
})

/** `--roster`: who is in the class. */
export const rosterFlag = Flags.string({
  summary: 'The roster: first_name,last_name,email,mq_id,budget,limit_reset.',
  default: 'roster.csv',
  env: 'CLASS_KEYS_ROSTER',
  helpValue: 'PATH',
})

/** `--limits`: what the instructor asks for each key. */
export const limitsFlag = Flags.string({
  summary: 'The limits file, which you edit and update applies.',
  default: 'limits.csv',
  env: 'CLASS_KEYS_LIMITS',
  helpValue: 'PATH',
})

/** `--dry-run`: show the plan only. */
export const dryRunFlag = Flags.boolean({ summary: 'Show what would be done, and write nothing anywhere.' })

/** `--concurrency`: how many requests run at a time. */
export const concurrencyFlag = Flags.integer({
  summary: 'How many requests run at a time at best; fewer after OpenRouter asks to slow down.',
  default: 8,
  min: 1,
  max: 64,
  helpValue: 'N',
})

/** An amount of US dollars: `5`, `2.50`, `$3`. */
export const usdFlag = Flags.custom<number>({
  helpValue: 'USD',
  parse: async (text) => {
    const usd = parseUsd(text)
    if (usd === undefined)
      throw new CLIError(`${text} is not an amount of dollars, such as 5 or 2.50`, { exit: 2 })
    return usd
  },
})

/** `--since`: how far back to look, as a moment. */
export const sinceFlag = Flags.custom<Date>({
  summary: 'Nothing before this day or moment: 2026-11-01, 7d, 24h.',
  helpValue: 'WHEN',
  parse: async (text) => {
    const since = parseSince(text, new Date())
    if (since) return since
    throw new CLIError(`${text} is neither a day such as 2026-11-01, nor a span such as 7d or 24h`, {
      exit: 2,
    })
  },
})()
