import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { saveSnapshot } from '../../src/lib/files/snapshot-file.js'
import { aKey, aPerson } from '../core/make.js'
import { names, useFolder } from '../support/folder.js'

useFolder()

const AT = new Date(2026, 1, 19, 9, 5, 7)
const HEADER = 'email,name,mq_id,key_name,hash,usage,limit,limit_reset,disabled'

it('writes each key of the class as it is', async () => {
  const bo = aPerson({ firstName: 'Bo', lastName: 'Reed, Jr', email: 'bo@example.edu', mqId: '007' })
  const matched = [
    { student: aPerson(), key: aKey({ hash: 'h1', usage: 0.012345 }) },
    {
      student: bo,
      key: aKey({ hash: 'h2', name: '=x', usage: 12, limit: null, limitReset: 'weekly', disabled: true }),
    },
  ]
  expect(await saveSnapshot('.', matched, AT)).toBe('snapshot_20260219_090507.csv')
  expect(readFileSync('snapshot_20260219_090507.csv', 'utf8')).toBe(
    `${HEADER}\n` +
      'ada.quill@students.example.edu,Ada Quill,48200001,20260219_Ada Quill_48200001,h1,0.012345,3.00,,false\n' +
      `bo@example.edu,"Bo Reed, Jr",007,"'=x",h2,12.00,unlimited,weekly,true\n`,
  )
})

it('gives a second one of the same second another name', async () => {
  const paths = [await saveSnapshot('.', [], AT), await saveSnapshot('.', [], AT)]
  expect(paths).toEqual(['snapshot_20260219_090507.csv', 'snapshot_20260219_090507-2.csv'])
  expect(names().sort()).toEqual([...paths].sort())
  expect(readFileSync(paths[1] ?? '', 'utf8')).toBe(`${HEADER}\n`)
})
