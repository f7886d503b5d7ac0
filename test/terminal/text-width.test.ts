import cliTruncate from 'cli-truncate'
import fc from 'fast-check'
import stringWidth from 'string-width'
import { expect, it } from 'vitest'
import { shortened, widthOf, wrapped } from '../../src/lib/terminal/text-width.js'

const texts = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constant('\u001b[1mbold\u001b[22m and 王'),
)

it('is as wide as the package says that knows it, plain or not', () => {
  fc.assert(
    fc.property(texts, (text) => {
      expect(widthOf(text)).toBe(stringWidth(text))
    }),
  )
  expect(['', 'Ada', 'Zoë', '王', '\u001b[31mred\u001b[39m'].map(widthOf)).toEqual([0, 3, 3, 2, 3])
})

it('shortens as the package does that knows every script', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 2, max: 40 }), (text, width) => {
      expect(shortened(text, width)).toBe(cliTruncate(text, width))
      expect(shortened(text, width, 'end')).toBe(cliTruncate(text, width, { position: 'start' }))
    }),
  )
  expect([shortened('Ada Quill', 5), shortened('Ada Quill', 5, 'end'), shortened('Ada', 3)]).toEqual([
    'Ada …',
    '…uill',
    'Ada',
  ])
})

it('breaks between words', () => {
  expect(wrapped('one two three', 8)).toBe('one two\nthree')
})
