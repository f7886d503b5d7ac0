import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/lib/core/errors.js'
import { accountFrom } from '../../src/lib/terminal/settings.js'

const OLD = 'OPENROUTER_PROVISIONING_KEY'
const NEW = 'OPENROUTER_MANAGEMENT_KEY'
const URL = 'OPENROUTER_BASE_URL'
const KEY = 'sk-or-v1-made-up'
const DEFAULT = 'https://openrouter.ai/api/v1'

function errorOf(env: NodeJS.ProcessEnv): UsageError {
  try {
    accountFrom(env)
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('accountFrom', () => {
  it.each([
    [{ [OLD]: KEY }, KEY, DEFAULT],
    [{ [NEW]: KEY }, KEY, DEFAULT],
    [{ [OLD]: KEY, [NEW]: 'other' }, KEY, DEFAULT],
    [{ [OLD]: '', [NEW]: KEY }, KEY, DEFAULT],
    [{ [OLD]: ' ', [NEW]: KEY }, KEY, DEFAULT],
    [{ [OLD]: ` ${KEY}\r\n` }, KEY, DEFAULT],
    [{ [OLD]: KEY, [URL]: '' }, KEY, DEFAULT],
    [{ [OLD]: KEY, [URL]: '  ' }, KEY, DEFAULT],
    [{ [OLD]: KEY, [URL]: 'http://127.0.0.1:4010/api/v1' }, KEY, 'http://127.0.0.1:4010/api/v1'],
    [{ [OLD]: KEY, [URL]: ' https://x.example/api/v1// ' }, KEY, 'https://x.example/api/v1'],
  ])('%j', (env, managementKey, baseUrl) => {
    expect(accountFrom(env)).toEqual({ managementKey, baseUrl })
  })

  it.each([{}, { [OLD]: '' }, { [OLD]: ' \n', [NEW]: '\t' }])('%j: there is no key', (env) => {
    const error = errorOf(env)
    expect(error).toMatchObject({ code: 'no_management_key', exitCode: 2 })
    expect(error.message).toContain('set OPENROUTER_PROVISIONING_KEY')
    expect(error.message).toContain('class-keys sandbox')
  })

  it.each(['sk-or v1', 'sk-or\nv1', 'sk-or…v1', 'sk-or-\u0000', 'ключ'])(
    'refuses %j, and does not show it',
    (key) => {
      const error = errorOf({ [OLD]: key })
      expect(error).toMatchObject({ code: 'bad_management_key', exitCode: 2 })
      expect(error.message).not.toContain(key.slice(0, 5))
    },
  )

  it.each(['openrouter.ai', 'localhost:4010/api/v1', 'ftp://x.example', 'file:///etc', '127.0.0.1'])(
    'refuses the address %s',
    (url) => expect(errorOf({ [OLD]: KEY, [URL]: url })).toMatchObject({ code: 'bad_base_url', exitCode: 2 }),
  )

  it('does not show the management key where it was put into the wrong variable', () => {
    expect(errorOf({ [OLD]: DEFAULT, [URL]: KEY }).message).not.toContain(KEY)
  })
})
