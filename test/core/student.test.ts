import { expect, it } from 'vitest'
import { byEmail, emailKey, fullName, isPlaceholder } from '../../src/lib/core/student.js'

it.each([
  ['ada@FIXME.mq.edu.au', true],
  ['ada@fixme.mq.edu.au', true],
  ['48200001@Fixme.MQ.edu.au', true],
  ['ada@mq.edu.au', false],
  ['ada@notfixme.mq.edu.au', false],
  ['ada@fixme.mq.edu.au.example.edu', false],
  ['fixme.mq.edu.au', false],
])('%s is a placeholder: %s', (email, is) => expect(isPlaceholder(email)).toBe(is))

it('joins a name', () =>
  expect(fullName({ firstName: 'Mary Jane', lastName: 'Quill' })).toBe('Mary Jane Quill'))

it('compares addresses without case', () => {
  expect(emailKey('Ada.Quill@Example.edu')).toBe('ada.quill@example.edu')
})

it('sorts by address, case aside, and not by the language of the machine', () => {
  const emails = ['b@x.edu', 'A@x.edu', 'a@x.edu', 'Z@x.edu', 'ä@x.edu', 'a.b@x.edu']
  const sorted = emails.map((email) => ({ email })).sort(byEmail)
  expect(sorted.map(({ email }) => email)).toEqual([
    'a.b@x.edu',
    'A@x.edu',
    'a@x.edu',
    'b@x.edu',
    'Z@x.edu',
    'ä@x.edu',
  ])
})
