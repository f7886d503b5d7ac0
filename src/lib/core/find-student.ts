import { UsageError } from './errors.js'
import { isMeant } from './history.js'
import { type Person, type StudentRef, studentRef } from './student.js'

/**
 * Finds the one student that a person means by an address, an MQ ID, or a part of the name.
 * @throws UsageError `no_such_student`, or `ambiguous_student` with those who could be meant
 */
export function findStudent<P extends Person>(people: readonly P[], words: string): P {
  const meant = people.filter((person) => isMeant(studentRef(person), words))
  const exact = meant.filter((person) => isExact(studentRef(person), words))
  const [student, ...others] = exact.length > 0 ? exact : meant
  if (!student) throw nobody(words)
  if (others.length > 0) {
    const names = [student, ...others].map((person) => `${studentRef(person).name} (${person.email})`)
    const shown = names.length > 5 ? [...names.slice(0, 5), `${names.length - 5} more`] : names
    throw new UsageError(
      'ambiguous_student',
      `${words} fits ${names.length} students: ${shown.join(', ')}. Give the address or the MQ ID.`,
    )
  }
  return student
}

/**
 * Makes sure that words mean somebody, or several.
 * @throws UsageError `no_such_student`
 */
export function refuseNobody(people: readonly StudentRef[], words: string): void {
  if (!people.some((person) => isMeant(person, words))) throw nobody(words)
}

function nobody(words: string): UsageError {
  return new UsageError(
    'no_such_student',
    `Nobody in the ledger fits ${words}. Give an address, an MQ ID, or a part of the name.`,
  )
}

function isExact(student: StudentRef, words: string): boolean {
  return isMeant({ ...student, name: '' }, words) || student.name.toLowerCase() === words.trim().toLowerCase()
}
