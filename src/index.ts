/*
 * The types of what the commands print with `--json`; the package has no other interface than its commands.
 */

export type { Problem } from './lib/core/errors.js'
export type { OutcomeKind, Stopped, StudentOutcome } from './lib/core/outcome.js'
export type {
  CreateKey,
  DeleteLostKey,
  KeyHolder,
  LeftAlone,
  ProvisionPlan,
  Spending,
  StudentRef,
} from './lib/core/provision-plan.js'
export type * from './lib/core/results.js'
export type { UpdateKey, UpdatePlan } from './lib/core/update-plan.js'
export type { ErrorResult } from './lib/terminal/error-view.js'
