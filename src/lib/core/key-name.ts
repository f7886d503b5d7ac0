import { localDate } from './times.js'

/** The pattern that reads an MQ ID back from a key's name; shared with the tools that came before. */
const KEY_NAME = /^(\d{8})_(.+)_(\w+)$/

/**
 * What an MQ ID may consist of so that KEY_NAME gives it back whole: an underscore would be taken for the
 * separator, and anything else would not match at all.
 */
const MQ_ID = /^[A-Za-z0-9]+$/

/** Whether a key's name can carry this MQ ID and give it back. */
export function isMqId(text: string): boolean {
  return MQ_ID.test(text)
}

/** The form in which two MQ IDs are compared: case does not tell two students apart. */
export function mqIdKey(mqId: string): string {
  return mqId.toLowerCase()
}

/**
 * Whether two MQ IDs are the same but for leading zeros, which a spreadsheet takes away: enough to see what is meant,
 * and never to tell whose a key is.
 */
export function sameMqId(a: string, b: string): boolean {
  return withoutZeros(a) === withoutZeros(b)
}

/** An MQ ID as a spreadsheet leaves it, in the form in which two are compared. */
export function withoutZeros(mqId: string): string {
  return mqIdKey(mqId).replace(/^0+(?=.)/, '')
}

/** The name of a key made for a student on a day (local date): `20260219_Ada Quill_48200001`. */
export function keyName(student: { firstName: string; lastName: string; mqId: string }, day: Date): string {
  return `${localDate(day)}_${student.firstName} ${student.lastName}_${student.mqId}`
}

/** The MQ ID at the end of a key's name, or undefined where the name is not one that we give. */
export function mqIdOfKeyName(name: string): string | undefined {
  return KEY_NAME.exec(name)?.[3]
}
