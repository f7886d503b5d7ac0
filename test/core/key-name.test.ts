import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isMqId,
  keyName,
  mqIdKey,
  mqIdOfKeyName,
  sameMqId,
  withoutZeros,
} from '../../src/lib/core/key-name.js'

const DAY = new Date(2026, 1, 9, 23, 59)

describe('keyName', () => {
  it.each([
    ['Ada', 'Quill', '48200001', '20260209_Ada Quill_48200001'],
    ['Mary Jane', "O'Neil-Smith", 'ab12', "20260209_Mary Jane O'Neil-Smith_ab12"],
    ['Bo', 'under_score', '7', '20260209_Bo under_score_7'],
    ['王', '小明', 'Z9', '20260209_王 小明_Z9'],
    ['Ana', '-', '1', '20260209_Ana -_1'],
  ])('%s %s, %s: %s', (firstName, lastName, mqId, name) => {
    expect(keyName({ firstName, lastName, mqId }, DAY)).toBe(name)
    expect(mqIdOfKeyName(name)).toBe(mqId)
  })

  it('gives back the MQ ID of any student that a roster may hold', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !/[\p{Cc}\u2028\u2029]/u.test(text))
    const mqId = fc.stringMatching(/^[A-Za-z0-9]{1,12}$/)
    const day = fc.date({ min: new Date(2000, 0, 1), max: new Date(2099, 11, 31), noInvalidDate: true })
    fc.assert(
      fc.property(name, name, mqId, day, (firstName, lastName, id, at) => {
        expect(isMqId(id)).toBe(true)
        expect(mqIdOfKeyName(keyName({ firstName, lastName, mqId: id }, at))).toBe(id)
      }),
    )
  })

  it('refuses every MQ ID that its name would not give back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (id) => {
        const back = mqIdOfKeyName(keyName({ firstName: 'Ada', lastName: 'Quill', mqId: id }, DAY))
        expect(isMqId(id) && back !== id).toBe(false)
      }),
      // Most random text is refused at once; the interesting ones look nearly like an ID.
      { examples: [['a_b'], ['48200001\n'], ['_1'], ['1_'], ['']] },
    )
  })
})

describe('isMqId', () => {
  it.each(['48200001', 'a', 'MQ48200001', '007'])('takes %j', (id) => expect(isMqId(id)).toBe(true))
  it.each([
    '',
    ' ',
    '4820 0001',
    '4820-0001',
    '4820_0001',
    '#48200001',
    '48200001.',
    'é1',
    '４８',
    '1\n',
    '\u200b1',
  ])('refuses %j', (id) => expect(isMqId(id)).toBe(false))
})

describe('mqIdOfKeyName', () => {
  it.each([
    ['20260219_Ada Quill_48200001', '48200001'],
    ['20260219_Ada Quill_MQ1', 'MQ1'],
    ['20260219_a_b_c_d', 'd'],
    ['20260219__x', undefined],
    ['20260219_Ada Quill', undefined],
    ['20260219_Ada Quill_', undefined],
    ['20260219_Ada Quill_48-1', undefined],
    ['20260219_Ada Quill_48200001 ', undefined],
    ['2026219_Ada Quill_48200001', undefined],
    ['202602190_Ada Quill_48200001', undefined],
    ['my 20260219_Ada Quill_48200001', undefined],
    ['Ada Quill_48200001', undefined],
    ['', undefined],
  ])('%j: %s', (name, mqId) => expect(mqIdOfKeyName(name)).toBe(mqId))
})

it('compares MQ IDs without case', () => {
  expect(mqIdKey('Mq48X')).toBe(mqIdKey('mQ48x'))
})

describe('without leading zeros', () => {
  it.each([
    ['48200001', '48200001'],
    ['007', '7'],
    ['0a1', 'a1'],
    ['MQ007', 'mq007'],
    ['100', '100'],
    ['0', '0'],
    ['000', '0'],
    ['', ''],
  ])('%j is %j', (mqId, rest) => expect(withoutZeros(mqId)).toBe(rest))

  it.each([
    ['007', '7', true],
    ['7', '0007', true],
    ['0AB', 'ab', true],
    ['0', '00', true],
    ['70', '7', false],
    ['107', '17', false],
    ['MQ07', 'MQ7', false],
    ['0', '', false],
  ])('%j and %j are the same: %s', (a, b, same) => {
    expect(sameMqId(a, b)).toBe(same)
    expect(sameMqId(b, a)).toBe(same)
  })
})
