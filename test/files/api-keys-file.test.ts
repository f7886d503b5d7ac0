import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type HandoutKey, saveApiKeys } from '../../src/lib/files/api-keys-file.js'
import { aPerson } from '../core/make.js'
import { modeOf, names, useFolder } from '../support/folder.js'

useFolder()

const AT = new Date(2026, 10, 30, 23, 59, 59)
const SECRET = `sk-or-v1-${'0123456789abcdef'.repeat(4)}`
const key = (over: Partial<HandoutKey> = {}): HandoutKey => ({
  ...aPerson(),
  secret: SECRET,
  keyName: '20261130_Ada Quill_48200001',
  budget: 3,
  limitReset: null,
  ...over,
})

it('writes what each student is to be given, for the owner’s eyes alone', async () => {
  const keys = [
    key(),
    key({
      firstName: '-',
      lastName: 'Zoë',
      mqId: '007',
      budget: null,
      limitReset: 'monthly',
      secret: 'other',
    }),
    key({ budget: 0, limitReset: 'daily' }),
  ]
  const path = await saveApiKeys('.', keys, AT)
  expect(path).toBe('api_keys_20261130_235959.csv')
  expect(modeOf(path)).toBe('600')
  const ada = `Ada,Quill,ada.quill@students.example.edu,48200001,${SECRET},20261130_Ada Quill_48200001`
  expect(readFileSync(path, 'utf8')).toBe(
    'first_name,last_name,email,mq_id,api_key,key_name,budget,limit_reset\n' +
      `${ada},3.00,\n` +
      `"'-",Zoë,ada.quill@students.example.edu,007,other,20261130_Ada Quill_48200001,unlimited,monthly\n` +
      `${ada},0.00,daily\n`,
  )
})

it('never overwrites: a file of the same second gets another name', async () => {
  const first = await saveApiKeys('.', [key()], AT)
  const second = await saveApiKeys('.', [key({ secret: 'other' })], AT)
  expect(second).toBe('api_keys_20261130_235959-2.csv')
  expect(readFileSync(first, 'utf8')).toContain(SECRET)
  expect(names()).toHaveLength(2)
})

it('says that it cannot be written, without the secrets', async () => {
  const error = await saveApiKeys('missing', [key()], AT).catch((e) => e)
  expect(error).toMatchObject({ code: 'file_unwritable' })
  expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('sk-or-')
})
