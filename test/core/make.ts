import type { Creation } from '../../src/lib/core/creation.js'
import type { Key } from '../../src/lib/core/key.js'
import type { Target } from '../../src/lib/core/limits.js'
import type { Person, Student } from '../../src/lib/core/student.js'

/** A made-up student: Ada Quill with a budget of $3, unless said otherwise. */
export function aStudent(over: Partial<Student> = {}): Student {
  return { line: 2, ...aPerson(), budget: 3, limitReset: null, expiresAt: undefined, ...over }
}

/** A made-up person: Ada Quill, unless said otherwise. */
export function aPerson(over: Partial<Person> = {}): Person {
  return {
    firstName: 'Ada',
    lastName: 'Quill',
    email: 'ada.quill@students.example.edu',
    mqId: '48200001',
    ...over,
  }
}

/** An enabled, unused key of Ada Quill with $3, unless said otherwise. */
export function aKey(over: Partial<Key> = {}): Key {
  return {
    hash: 'hash-of-ada',
    name: '20260219_Ada Quill_48200001',
    label: 'sk-or-v1-0e6…1c96',
    disabled: false,
    limit: 3,
    limitRemaining: 3,
    limitReset: null,
    usage: 0,
    byokUsage: 0,
    createdAt: '2026-02-19T10:00:00.363244+00:00',
    expiresAt: null,
    ...over,
  }
}

/** A creation of Ada Quill's key that was never answered, unless said otherwise. */
export function aCreation(over: Partial<Creation> = {}): Creation {
  return {
    id: 1,
    state: 'open',
    student: aPerson(),
    keyName: '20260219_Ada Quill_48200001',
    limit: 3,
    limitReset: null,
    expiresAt: null,
    replaces: null,
    intendedAt: new Date('2026-02-19T10:00:00Z'),
    keyHash: null,
    ...over,
  }
}

/** A row of limits.csv that asks nothing of Ada Quill's key, unless said otherwise. */
export function aTarget(over: Partial<Target> = {}): Target {
  return {
    line: 2,
    email: 'ada@example.edu',
    name: 'Ada Quill',
    mqId: '48200001',
    limit: undefined,
    disabled: undefined,
    limitReset: undefined,
    keyName: '',
    hash: '',
    actualLimit: undefined,
    written: { limit: '', disabled: '', limitReset: '' },
    extra: new Map(),
    ...over,
  }
}
