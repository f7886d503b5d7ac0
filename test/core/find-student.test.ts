import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/lib/core/errors.js'
import { findStudent } from '../../src/lib/core/find-student.js'
import { aPerson } from './make.js'

const ADA = aPerson({ email: 'Ada@example.edu', mqId: 'A1' })
const BO = aPerson({ firstName: 'Bo', lastName: 'Quill', email: 'bo@example.edu', mqId: 'b2' })
const BOB = aPerson({ firstName: 'Bo', lastName: 'Quillson', email: 'bob@example.edu', mqId: 'b22' })
const PEOPLE = [ADA, BO, BOB]

describe('findStudent', () => {
  it.each([
    ['ada@EXAMPLE.edu', ADA],
    [' a1 ', ADA],
    ['B2', BO],
    ['ada', ADA],
    ['son', BOB],
    // The whole name of one is a part of another's.
    ['bo quill', BO],
  ])('%j is %o', (words, person) => expect(findStudent(PEOPLE, words)).toBe(person))

  it.each(['nobody', '', '  ', 'example.edu', 'b'.repeat(9)])('%j is nobody', (words) => {
    expect(() => findStudent(PEOPLE, words)).toThrow(UsageError)
    expect(() => findStudent(PEOPLE, words)).toThrow(
      expect.objectContaining({ code: 'no_such_student', exitCode: 2 }),
    )
  })

  it('names those who could be meant', () => {
    expect(() => findStudent(PEOPLE, 'bo')).toThrow(
      'bo fits 2 students: Bo Quill (bo@example.edu), Bo Quillson (bob@example.edu). Give the address or the MQ ID.',
    )
  })

  it('names five of many', () => {
    const many = Array.from({ length: 9 }, (_, i) => aPerson({ mqId: `${i}`, email: `${i}@example.edu` }))
    expect(() => findStudent(many, 'quill')).toThrow(/fits 9 students: (.+@example.edu\), ){5}4 more\. Give/)
  })
})
