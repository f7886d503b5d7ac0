import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
import type { LimitReset } from '../../src/lib/core/money.js'
import {
  createdAnswer,
  deletedAnswer,
  errorAnswer,
  keyAnswer,
  pageAnswer,
} from '../../src/lib/openrouter/wire.js'
import { aKey } from '../core/make.js'

const WIRE = {
  hash: 'hash-of-ada',
  name: '20260219_Ada Quill_48200001',
  label: 'sk-or-v1-0e6…1c96',
  disabled: false,
  limit: 3,
  limit_remaining: 3,
  limit_reset: null,
  include_byok_in_limit: false,
  usage: 0,
  usage_daily: 0,
  byok_usage: 0,
  created_at: '2026-02-19T10:00:00.363244+00:00',
  updated_at: null,
  expires_at: null,
  creator_user_id: null,
  a_field_of_tomorrow: { any: 'thing' },
}
/** Of a whole secret, which may be of any form that is not masked. */
const SECRET = 'sk-or-v1-0e6a'
const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(WIRE).filter(([name]) => !names.includes(name)))

describe('a key on the wire', () => {
  it.each<[string, object, Partial<Key>]>([
    ['as documented', WIRE, {}],
    ['without limit', { ...WIRE, limit: null, limit_remaining: null }, { limit: null, limitRemaining: null }],
    ['with a limit of zero', { ...WIRE, limit: 0, limit_remaining: 0 }, { limit: 0, limitRemaining: 0 }],
    ['with a reset', { ...WIRE, limit_reset: 'weekly' }, { limitReset: 'weekly' }],
    [
      'with a reset of tomorrow, which is not never',
      { ...WIRE, limit_reset: 'hourly' },
      { limitReset: 'hourly' as LimitReset },
    ],
    ['with a reset in capitals', { ...WIRE, limit_reset: 'Weekly' }, { limitReset: 'weekly' }],
    [
      'with moments that name no zone',
      { ...WIRE, created_at: '2026-02-19T10:00:00.363244', expires_at: '2026-11-30T23:59:59' },
      { createdAt: '2026-02-19T10:00:00.363244Z', expiresAt: '2026-11-30T23:59:59Z' },
    ],
    [
      'with moments of another zone',
      { ...WIRE, created_at: '2026-02-19T21:00:00+1100', expires_at: '2026-11-30T23:59:59-05:00' },
      { createdAt: '2026-02-19T21:00:00+1100', expiresAt: '2026-11-30T23:59:59-05:00' },
    ],
    ['with an end that is no moment', { ...WIRE, expires_at: 'never' }, { expiresAt: null }],
    ['with an end of nothing', { ...WIRE, expires_at: '' }, { expiresAt: null }],
    ['without a label', { ...WIRE, label: null }, { label: '' }],
    [
      'with nothing where it does not matter',
      { ...WIRE, limit_remaining: undefined, byok_usage: null },
      { limitRemaining: null },
    ],
    ['that has been used', { ...WIRE, usage: 1.5, byok_usage: 2 }, { usage: 1.5, byokUsage: 2 }],
    ['that is disabled', { ...WIRE, disabled: true }, { disabled: true }],
    ['that expires', { ...WIRE, expires_at: '2026-11-30T23:59:59Z' }, { expiresAt: '2026-11-30T23:59:59Z' }],
    [
      'without what we can do without',
      without('label', 'limit_remaining', 'limit_reset', 'byok_usage', 'expires_at', 'updated_at'),
      { label: '', limitRemaining: null },
    ],
  ])('%s', (_, wire, over) => {
    expect(keyAnswer.parse({ data: wire })).toStrictEqual(aKey(over))
    expect(pageAnswer.parse({ data: [wire, wire] })).toStrictEqual([aKey(over), aKey(over)])
    expect(createdAnswer.parse({ data: wire, key: SECRET })).toStrictEqual({
      hash: 'hash-of-ada',
      secret: SECRET,
      key: aKey(over),
    })
  })

  it.each<[string, object]>([
    ['without a name', without('name')],
    ['with a limit in words', { ...WIRE, limit: '3' }],
    ['without a limit', without('limit')],
    ['without usage', without('usage')],
    ['that is disabled in words', { ...WIRE, disabled: 'false' }],
    ['made at a number', { ...WIRE, created_at: 1771495200 }],
    ['with nothing but its hash', { hash: 'hash-of-ada' }],
  ])('%s, that was just made: its secret is kept', (_, wire) => {
    expect(createdAnswer.parse({ data: wire, key: SECRET })).toStrictEqual({
      hash: 'hash-of-ada',
      secret: SECRET,
    })
  })

  it.each([
    ['hash', without('hash')],
    ['hash', { ...WIRE, hash: '' }],
    ['name', without('name')],
    ['disabled', { ...WIRE, disabled: 'false' }],
    ['limit', without('limit')],
    ['limit', { ...WIRE, limit: '3' }],
    ['usage', without('usage')],
    ['created_at', { ...WIRE, created_at: 1771495200 }],
  ])('is refused without a proper %s', (field, wire) => {
    const result = pageAnswer.safeParse({ data: [WIRE, wire] })
    expect(result.error?.issues[0]?.path).toEqual(['data', 1, field])
  })
})

it.each([
  ['no data', pageAnswer, {}],
  ['a page that is no list', pageAnswer, { data: WIRE }],
  ['a list', pageAnswer, []],
  ['nothing', pageAnswer, null],
  ['a page with a key that is not understood', pageAnswer, { data: [WIRE, without('limit')] }],
  ['a creation without a secret', createdAnswer, { data: WIRE }],
  ['a creation with an empty secret', createdAnswer, { data: WIRE, key: '' }],
  ['a creation with a masked secret', createdAnswer, { data: WIRE, key: 'sk-or-v1-0e6…1c96' }],
  ['a creation with dots in its secret', createdAnswer, { data: WIRE, key: 'sk-or-v1-0e6...1c96' }],
  ['a creation with stars in its secret', createdAnswer, { data: WIRE, key: 'sk-or-v1-****' }],
  ['a creation with more than its secret', createdAnswer, { data: WIRE, key: `${SECRET}\n` }],
  ['a creation with a secret that is no text', createdAnswer, { data: WIRE, key: 7 }],
  ['a creation without a hash', createdAnswer, { data: without('hash'), key: SECRET }],
  ['a creation with an empty hash', createdAnswer, { data: { ...WIRE, hash: '' }, key: SECRET }],
  ['a creation without a key', createdAnswer, { key: SECRET }],
  ['a deletion that did not happen', deletedAnswer, { deleted: false }],
  ['a deletion without a word', deletedAnswer, {}],
  ['an error without a message', errorAnswer, { error: { code: 400 } }],
  ['an error of another form', errorAnswer, { message: 'no' }],
])('refuses %s', (_, schema, answer) => expect(schema.safeParse(answer).success).toBe(false))

it('reads errors and deletions', () => {
  expect(errorAnswer.parse({ error: { code: 400, message: 'no', metadata: {} } }).error.message).toBe('no')
  expect(deletedAnswer.safeParse({ deleted: true, more: 1 }).success).toBe(true)
})
