import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type ExportedKey, exportPath, SECRET_NOT_HERE, saveExport } from '../../src/lib/files/export-file.js'
import { aPerson } from '../core/make.js'
import { modeOf, names, useFolder } from '../support/folder.js'

useFolder()

const KEYS: ExportedKey[] = [
  {
    ...aPerson(),
    secret: 'sk-or-v1-made-up',
    keyName: '20260219_Ada Quill_48200001',
    limit: 2.5,
    disabled: false,
  },
  {
    ...aPerson({ firstName: 'Bo', lastName: 'Reed', email: 'bo@example.edu', mqId: '007' }),
    secret: undefined,
    keyName: '=x',
    limit: null,
    disabled: true,
  },
]
const CSV =
  'first_name,last_name,email,mq_id,api_key,key_name,limit,disabled\n' +
  'Ada,Quill,ada.quill@students.example.edu,48200001,sk-or-v1-made-up,20260219_Ada Quill_48200001,2.50,false\n' +
  `Bo,Reed,bo@example.edu,007,${SECRET_NOT_HERE},"'=x",unlimited,true\n`
const ADA = {
  first_name: 'Ada',
  last_name: 'Quill',
  email: 'ada.quill@students.example.edu',
  mq_id: '48200001',
  api_key: 'sk-or-v1-made-up',
  key_name: '20260219_Ada Quill_48200001',
  limit: 2.5,
  disabled: false,
}
const BO = {
  first_name: 'Bo',
  last_name: 'Reed',
  email: 'bo@example.edu',
  mq_id: '007',
  api_key: null,
  key_name: '=x',
  limit: null,
  disabled: true,
}
const JSON_TEXT = `${JSON.stringify([ADA, BO], null, 2)}\n`

describe('saveExport', () => {
  it.each([
    ['csv', CSV],
    ['json', JSON_TEXT],
  ] as const)('writes %s for the owner’s eyes alone', async (format, text) => {
    expect(await saveExport(`out.${format}`, KEYS, format, { replace: false })).toBe(`out.${format}`)
    expect(readFileSync(`out.${format}`, 'utf8')).toBe(text)
    expect(modeOf(`out.${format}`)).toBe('600')
  })

  it.each([
    ['csv', 'first_name,last_name,email,mq_id,api_key,key_name,limit,disabled\n'],
    ['json', '[]\n'],
  ] as const)('writes %s without keys', async (format, text) => {
    await saveExport('out', [], format, { replace: false })
    expect(readFileSync('out', 'utf8')).toBe(text)
  })

  it('takes another name unless it may replace', async () => {
    writeFileSync('out.csv', 'old', { mode: 0o644 })
    expect(await saveExport('out.csv', KEYS, 'csv', { replace: false })).toBe('out-2.csv')
    expect(readFileSync('out.csv', 'utf8')).toBe('old')
    expect(await saveExport('out.csv', KEYS, 'csv', { replace: true })).toBe('out.csv')
    expect(readFileSync('out.csv', 'utf8')).toBe(CSV)
    expect(modeOf('out.csv')).toBe('600')
    expect(names()).toEqual(['out-2.csv', 'out.csv'])
  })

  it.each([true, false])(
    'says that it cannot be written, without the secrets (replace: %s)',
    async (replace) => {
      const error = await saveExport('missing/out.csv', KEYS, 'csv', { replace }).catch((e) => e)
      expect(error).toMatchObject({ code: 'file_unwritable' })
      expect(`${error.message}${error.stack}${JSON.stringify(error)}`).not.toContain('sk-or-')
    },
  )
})

it('does not let what stands for a missing secret look like a key', () => {
  expect(SECRET_NOT_HERE).not.toMatch(/^sk-|…/)
})

it.each(['csv', 'json'] as const)('names a %s file by local time', (format) => {
  expect(exportPath(format, new Date(2026, 0, 2, 3, 4, 5))).toBe(`api_keys_20260102_030405.${format}`)
})
