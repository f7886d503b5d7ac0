import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import type { GoneKey } from '../../src/lib/core/key.js'
import { saveUsage } from '../../src/lib/files/usage-file.js'
import { aKey, aPerson } from '../core/make.js'
import { modeOf, names, useFolder } from '../support/folder.js'

useFolder()

const AT = new Date(2026, 5, 30, 9, 5, 7)
const HEADER =
  'email,name,mq_id,key_name,hash,usage,byok_usage,limit,limit_reset,disabled,created_at,expires_at,gone_at\n'
const BO = aPerson({ firstName: 'Bo', lastName: 'Reed, Jr', email: 'bo@example.edu', mqId: '007' })
const GONE: GoneKey = {
  ...BO,
  keyHash: 'h3',
  keyName: '20260219_Bo Reed, Jr_007',
  usage: 1.25,
  limit: 3,
  createdAt: '2026-02-19T10:00:00.000+00:00',
  goneAt: '2026-03-02T00:00:00.000+00:00',
}

it('writes what each key has spent, then what is known of those that are gone', async () => {
  const keys = [
    { student: aPerson(), key: aKey({ hash: 'h1', usage: 0.012345, byokUsage: 2 }) },
    {
      student: BO,
      key: aKey({
        hash: 'h2',
        name: '=x',
        usage: 12,
        limit: null,
        limitReset: 'weekly',
        disabled: true,
        expiresAt: '2026-11-30T12:59:59Z',
      }),
    },
  ]
  expect(await saveUsage('.', keys, [GONE], AT)).toBe('usage_20260630_090507.csv')
  expect(readFileSync('usage_20260630_090507.csv', 'utf8')).toBe(
    `${HEADER}ada.quill@students.example.edu,Ada Quill,48200001,20260219_Ada Quill_48200001,h1,0.012345,2.00,3.00,,false,2026-02-19T10:00:00.363244+00:00,,\n` +
      `bo@example.edu,"Bo Reed, Jr",007,"'=x",h2,12.00,0.00,unlimited,weekly,true,2026-02-19T10:00:00.363244+00:00,2026-11-30T12:59:59Z,\n` +
      `bo@example.edu,"Bo Reed, Jr",007,"20260219_Bo Reed, Jr_007",h3,1.25,,3.00,,,2026-02-19T10:00:00.000+00:00,,2026-03-02T00:00:00.000+00:00\n`,
  )
})

it.each<[string, Partial<GoneKey>, string]>([
  ['was never looked at', { usage: undefined }, ',h3,,,3.00,,,'],
  ['was never used', { usage: 0 }, ',h3,0.00,,3.00,,,'],
  ['had no limit', { limit: null }, ',h3,1.25,,unlimited,,,'],
])('of a key that is gone and %s tells no more than is known', async (_, over, cells) => {
  const path = await saveUsage('.', [], [{ ...GONE, ...over }], AT)
  expect(readFileSync(path, 'utf8')).toContain(cells)
})

it('is for the instructor to share, and gives a second one of the same second another name', async () => {
  const paths = [await saveUsage('.', [], [], AT), await saveUsage('.', [], [], AT)]
  expect(paths).toEqual(['usage_20260630_090507.csv', 'usage_20260630_090507-2.csv'])
  expect(names()).toEqual([...paths].sort())
  expect(readFileSync(paths[1] ?? '', 'utf8')).toBe(HEADER)
  expect(modeOf(paths[0] ?? '')).toBe('644')
})
