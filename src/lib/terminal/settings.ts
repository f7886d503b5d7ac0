import { UsageError } from '../core/errors.js'
import type { Account } from '../openrouter/client.js'

const DEFAULT_BASE_URL = 'https://openrouter.ai/api/v1'
/** The first that is set wins. */
const KEY_VARIABLES = ['OPENROUTER_PROVISIONING_KEY', 'OPENROUTER_MANAGEMENT_KEY'] as const

/**
 * Reads from the environment how to reach OpenRouter: `OPENROUTER_PROVISIONING_KEY`, or
 * `OPENROUTER_MANAGEMENT_KEY`, OpenRouter's newer name for it, and `OPENROUTER_BASE_URL`.
 * @throws UsageError `no_management_key`, `bad_management_key`, `bad_base_url`; none holds the key
 */
export function accountFrom(env: NodeJS.ProcessEnv): Account {
  const keyVariable = KEY_VARIABLES.find((name) => env[name]?.trim())
  const managementKey = keyVariable && env[keyVariable]?.trim()
  if (!managementKey) {
    throw new UsageError(
      'no_management_key',
      'There is no management key: set OPENROUTER_PROVISIONING_KEY. Keys are made at https://openrouter.ai/settings/management-keys; to try class-keys without one, run class-keys sandbox.',
    )
  }
  if (!/^[\x21-\x7e]+$/.test(managementKey)) {
    const message = `The management key in ${keyVariable} holds a space or a character that no key has. Copy it again.`
    throw new UsageError('bad_management_key', message)
  }
  return { baseUrl: baseUrlFrom(env.OPENROUTER_BASE_URL?.trim()), managementKey, keyVariable }
}

/**
 * Takes an address that may be shown, in errors too.
 * @throws UsageError `bad_base_url`, without the text: it may be the management key, pasted into the wrong variable
 */
function baseUrlFrom(text: string | undefined): string {
  if (!text) return DEFAULT_BASE_URL
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') throw badBaseUrl('is not a web address')
  if (/sk-or-/i.test(text)) throw badBaseUrl('holds a key')
  if (url.username !== '' || url.password !== '') throw badBaseUrl('holds a user name or a password')
  if (/[?#]/.test(text)) throw badBaseUrl('holds a ? or a #')
  return text.replace(/\/+$/, '')
}

function badBaseUrl(why: string): UsageError {
  return new UsageError(
    'bad_base_url',
    `OPENROUTER_BASE_URL ${why}. Unset it, or set it like ${DEFAULT_BASE_URL}.`,
  )
}
