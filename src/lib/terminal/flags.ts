import { CLIError } from '@oclif/core/errors'
import * as Flags from '@oclif/core/flags'
import { parseExpiry } from '../core/expiry.js'
import { parseSince } from '../core/history.js'
import { parseUsd } from '../core/money.js'
import { MAX_CHANGE } from '../core/safety.js'

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

/** `--workspace`: which keys of the account the ledger is about. */
export const workspaceFlag = Flags.string({
  summary:
    "The workspace of the class: its name, slug or id. By default the ledger's, else the account's default one.",
  env: 'CLASS_KEYS_WORKSPACE',
  helpValue: 'NAME',
})

/** `--yes`: agree to the plan beforehand. */
export const yesFlag = Flags.boolean({
  char: 'y',
  summary: 'Apply the plan without asking.',
  default: false,
})

/** `--force`: apply a massive plan. */
export const forceFlag = Flags.boolean({
  summary:
    "Apply the plan even if it disables, deletes or lowers more of the class's keys than --max-change allows.",
  default: false,
})

/** `--max-change`: from which share on a plan is massive, in percent. */
export const maxChangeFlag = Flags.integer({
  summary: "Percent of the class's keys that a plan may disable, delete or lower, in a class of ten or more.",
  default: MAX_CHANGE,
  min: 0,
  max: 100,
  helpValue: 'PERCENT',
})

/** `--expires`: the last day of a key, or a moment; UTC with seconds. */
export const expiresFlag = Flags.custom<string>({
  summary:
    'When new keys expire, whatever the roster says: the end of a day such as 2026-11-30 in local time, or a moment.',
  helpValue: 'DAY',
  parse: async (text) => {
    const expiry = parseExpiry(text)
    if (expiry !== undefined) return expiry
    throw new CLIError(`${text} is not a day such as 2026-11-30`, { exit: 2 })
  },
})()

/** `--dry-run`: show the plan only. */
export const dryRunFlag = Flags.boolean({
  summary: 'Show what would be done, and write nothing anywhere.',
  default: false,
})

/** `--concurrency`: how many requests run at a time. */
export const concurrencyFlag = Flags.integer({
  summary: 'How many requests run at a time at most; fewer after OpenRouter asks to slow down.',
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
  summary: 'Only changes since this day or moment: 2026-11-01, 7d, 24h.',
  helpValue: 'WHEN',
  parse: async (text) => {
    const since = parseSince(text, new Date())
    if (since) return since
    throw new CLIError(`${text} is neither a day such as 2026-11-01, nor a span such as 7d or 24h`, {
      exit: 2,
    })
  },
})()
