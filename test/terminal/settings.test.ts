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
    [{ [OLD]: KEY }, KEY, DEFAULT, OLD],
    [{ [NEW]: KEY }, KEY, DEFAULT, NEW],
    [{ [OLD]: KEY, [NEW]: 'other' }, KEY, DEFAULT, OLD],
    [{ [OLD]: '', [NEW]: KEY }, KEY, DEFAULT, NEW],
    [{ [OLD]: ' ', [NEW]: KEY }, KEY, DEFAULT, NEW],
    [{ [OLD]: ` ${KEY}\r\n` }, KEY, DEFAULT, OLD],
    [{ [OLD]: KEY, [URL]: '' }, KEY, DEFAULT, OLD],
    [{ [OLD]: KEY, [URL]: '  ' }, KEY, DEFAULT, OLD],
    [{ [OLD]: KEY, [URL]: 'http://127.0.0.1:4010/api/v1' }, KEY, 'http://127.0.0.1:4010/api/v1', OLD],
    [{ [OLD]: KEY, [URL]: ' https://x.example/api/v1// ' }, KEY, 'https://x.example/api/v1', OLD],
  ])('%j', (env, managementKey, baseUrl, keyVariable) => {
    expect(accountFrom(env)).toEqual({ managementKey, baseUrl, keyVariable })
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

  it.each([OLD, NEW])('names the variable whose key is refused: %s', (name) => {
    expect(errorOf({ [name]: 'sk-or v1' }).message).toContain(`The management key in ${name} holds a space`)
  })

  it.each(['openrouter.ai', 'localhost:4010/api/v1', 'ftp://x.example', 'file:///etc', '127.0.0.1'])(
    'refuses the address %s',
    (url) => expect(errorOf({ [OLD]: KEY, [URL]: url })).toMatchObject({ code: 'bad_base_url', exitCode: 2 }),
  )

  it.each([
    ['http://me:hunter2@host/api/v1', 'a user name or a password'],
    ['https://hunter2@host/api/v1', 'a user name or a password'],
    ['https://:hunter2@host/api/v1', 'a user name or a password'],
    ['http:\\\\me:hunter2@host/api/v1', 'a user name or a password'],
    ['https://host/api/v1?token=hunter2', 'a ? or a #'],
    ['https://host/api/v1?', 'a ? or a #'],
    ['https://host/api/v1#hunter2', 'a ? or a #'],
    ['https://sk-or-v1-deadbeef', 'a key'],
    ['https://SK-OR-V1-DEADBEEF/api/v1', 'a key'],
    ['https://host/sk-or-v1-deadbeef', 'a key'],
    ['https://sk-or-v1-deadbeef:x@host/', 'a key'],
  ])('refuses %s, and shows nothing of it', (url, what) => {
    const error = errorOf({ [OLD]: KEY, [URL]: url })
    expect(error).toMatchObject({ code: 'bad_base_url', exitCode: 2 })
    expect(error.message).toBe(
      `OPENROUTER_BASE_URL holds ${what}. Unset it, or set it like https://openrouter.ai/api/v1.`,
    )
  })

  it('does not show the management key where it was put into the wrong variable', () => {
    expect(errorOf({ [OLD]: DEFAULT, [URL]: KEY }).message).not.toContain(KEY)
  })
})
