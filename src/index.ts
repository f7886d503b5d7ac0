/*
 * The types of what the commands print with `--json`; the package has no other interface than its commands.
 */

export type {
  AssignGuardrail,
  CreateKey,
  DeleteKey,
  DeleteLostKey,
  DisableKey,
  EnableKey,
  KeyRef,
  PlannedChange,
  UpdateKey,
} from './lib/core/changes.js'
export type { GuardrailRef } from './lib/core/creation.js'
export type { LeftAlone, Settled } from './lib/core/doubt.js'
export type { Problem } from './lib/core/errors.js'
export type { Limit, LimitReset, Usd } from './lib/core/money.js'
export type { OffboardPlan } from './lib/core/offboard-plan.js'
export type { OutcomeKind, Stopped, StudentOutcome } from './lib/core/outcome.js'
export type { KeyHolder, ProvisionPlan } from './lib/core/provision-plan.js'
export type * from './lib/core/results.js'
export type { RotationPlan } from './lib/core/rotation-plan.js'
export type { KeptOldKey } from './lib/core/rotation-steps.js'
export type { Safety } from './lib/core/safety.js'
export type { SecondKey } from './lib/core/second-keys.js'
export type { Spending } from './lib/core/spending.js'
export type { StudentRef } from './lib/core/student.js'
export type { UpdatePlan } from './lib/core/update-plan.js'
export type { ErrorResult } from './lib/terminal/error-view.js'
