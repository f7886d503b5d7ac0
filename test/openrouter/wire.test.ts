import { describe, expect, it } from 'vitest'
import type { Key } from '../../src/lib/core/key.js'
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
const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(WIRE).filter(([name]) => !names.includes(name)))

describe('a key on the wire', () => {
  it.each<[string, object, Partial<Key>]>([
    ['as documented', WIRE, {}],
    ['without limit', { ...WIRE, limit: null, limit_remaining: null }, { limit: null, limitRemaining: null }],
    ['with a limit of zero', { ...WIRE, limit: 0, limit_remaining: 0 }, { limit: 0, limitRemaining: 0 }],
    ['with a reset', { ...WIRE, limit_reset: 'weekly' }, { limitReset: 'weekly' }],
    ['with a reset of tomorrow', { ...WIRE, limit_reset: 'hourly' }, { limitReset: null }],
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
    expect(createdAnswer.parse({ data: wire, key: 'a secret' })).toStrictEqual({
      key: aKey(over),
      secret: 'a secret',
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
  ['a creation without a secret', createdAnswer, { data: WIRE }],
  ['a creation with an empty secret', createdAnswer, { data: WIRE, key: '' }],
  ['a deletion that did not happen', deletedAnswer, { deleted: false }],
  ['a deletion without a word', deletedAnswer, {}],
  ['an error without a message', errorAnswer, { error: { code: 400 } }],
  ['an error of another form', errorAnswer, { message: 'no' }],
])('refuses %s', (_, schema, answer) => expect(schema.safeParse(answer).success).toBe(false))

it('reads errors and deletions', () => {
  expect(errorAnswer.parse({ error: { code: 400, message: 'no', metadata: {} } }).error.message).toBe('no')
  expect(deletedAnswer.safeParse({ deleted: true, more: 1 }).success).toBe(true)
})
