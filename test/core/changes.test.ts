import { expect, it } from 'vitest'
import { asUpdate, type CreateKey, keyRef, keyRequest } from '../../src/lib/core/changes.js'
import { studentRef } from '../../src/lib/core/student.js'
import { aKey, aPerson } from './make.js'

const BO = aPerson({ firstName: 'Bo', lastName: 'Reed', email: 'bo@example.edu', mqId: 'b2' })
const KEY = { ...studentRef(BO), keyName: '20260219_Bo Reed_b2', hash: 'h' }

it('names a key and whose it is, by the name that the key has', () => {
  const key = aKey({ hash: 'h', name: 'for the demo' })
  expect(keyRef({ student: BO, key })).toEqual({ ...KEY, keyName: 'for the demo' })
})

it.each([
  ['enable', { from: true, to: false }],
  ['disable', { from: false, to: true }],
] as const)('%s is an update of whether the key is disabled, and of nothing else', (kind, disabled) => {
  expect(asUpdate({ kind, ...KEY })).toStrictEqual({ kind: 'update', ...KEY, disabled, refills: null })
})

it('asks for what was planned, for the student that the plan names', () => {
  const change: CreateKey = {
    kind: 'create',
    ...studentRef(BO),
    keyName: '20260219_Bo Reed_b2',
    limit: 2.5,
    limitReset: 'weekly',
    expiresAt: '2026-11-30T12:59:59Z',
    guardrail: { id: 'g1', name: 'Small models' },
    replaces: 'old',
  }
  expect(keyRequest(change, new Map([['b2', BO]]))).toStrictEqual({
    student: BO,
    keyName: '20260219_Bo Reed_b2',
    limit: 2.5,
    limitReset: 'weekly',
    expiresAt: '2026-11-30T12:59:59Z',
    guardrail: { id: 'g1', name: 'Small models' },
    replaces: 'old',
  })
  expect(() => keyRequest(change, new Map())).toThrow('b2')
})
