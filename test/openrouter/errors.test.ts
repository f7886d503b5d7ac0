import { describe, expect, it } from 'vitest'
import { ClassKeysError } from '../../src/lib/core/errors.js'
import { OpenRouterError, withoutSecrets } from '../../src/lib/openrouter/errors.js'

describe('OpenRouterError', () => {
  it.each([
    [400, true],
    [403, true],
    [429, true],
    [499, true],
    [500, false],
    [503, false],
    [200, false],
    [undefined, false],
  ])('status %s proves that nothing was done: %s', (status, proves) => {
    const error = new OpenRouterError('refused', 'no', status)
    expect(error.provesNothingDone).toBe(proves)
    expect(error).toBeInstanceOf(ClassKeysError)
    expect(error).toMatchObject({ name: 'OpenRouterError', code: 'refused', exitCode: 1, status })
  })

  it('proves nothing where an earlier try of the same request had no clear answer', () => {
    const error = new OpenRouterError('refused', 'no', 404)
    error.afterUnclearTry = true
    expect(error.provesNothingDone).toBe(false)
  })

  it('proves it where the request was never sent', () => {
    expect(new OpenRouterError('not_sent', 'no').provesNothingDone).toBe(true)
  })
})

const SECRET = `sk-or-v1-${'0123456789abcdef'.repeat(4)}`

describe('withoutSecrets', () => {
  it.each([
    ['nothing to hide', 'nothing to hide'],
    ['key my-key, again my-key', 'key [management key], again [management key]'],
    [`Bearer ${SECRET}.`, 'Bearer [key].'],
    [`${SECRET} and ${SECRET}`, '[key] and [key]'],
    ['"sk-or-v1-abcdefgh"', '"[key]"'],
    ['sk-or-provisioning_key-1234', '[key]'],
  ])('%j', (text, safe) => expect(withoutSecrets(text, 'my-key')).toBe(safe))

  it('takes the management key literally, whatever is in it', () => {
    expect(withoutSecrets('a.b+c axb', 'a.b+c')).toBe('[management key] axb')
    expect(withoutSecrets('x', '$&')).toBe('x')
  })
})
