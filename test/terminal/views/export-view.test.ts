import { describe, expect, it } from 'vitest'
import { exportView } from '../../../src/lib/terminal/views/export-view.js'

const HOLDS = 'It holds the secrets: hand each student their own, then delete the file.'
describe('exportView', () => {
  it.each([
    [1, 0, ['1 key written to out.csv.', HOLDS]],
    [
      3,
      2,
      [
        '3 keys written to out.csv.',
        '2 of them have no secret in this ledger; class-keys check tells more.',
        HOLDS,
      ],
    ],
  ])('%i keys, %i without a secret', (keys, withoutSecret, lines) => {
    expect(exportView({ file: 'out.csv', format: 'csv', keys, withoutSecret })).toEqual(lines)
  })
})
