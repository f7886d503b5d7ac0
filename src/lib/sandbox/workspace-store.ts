import { randomUUID } from 'node:crypto'
import { formatDate } from './times.js'

/** The workspace that is always there, and meant wherever none is named. */
export const DEFAULT_WORKSPACE_ID = '5a4d0b0e-0000-4000-8000-000000000001'

/** What a workspace is made from; all but name and slug may be left out. */
export interface WorkspaceSeed {
  name: string
  slug: string
  description?: string | null
  default_text_model?: string | null
  default_image_model?: string | null
  default_provider_sort?: string | null
  is_observability_io_logging_enabled?: boolean
  is_observability_broadcast_enabled?: boolean
  is_data_discount_logging_enabled?: boolean
  io_logging_sampling_rate?: number
  io_logging_api_key_ids?: number[] | null
}

/** A workspace as the API shows it. */
export type Workspace = Required<WorkspaceSeed> & {
  id: string
  default_guardrail_id: string
  include_byok_in_budgets: boolean
  created_at: string
  updated_at: string | null
  created_by: string | null
}

/** The workspaces of the account, the default one first. */
export class WorkspaceStore {
  readonly #byId = new Map<string, Workspace>()

  /** @param now when the default workspace is said to have been made */
  constructor(now: Date) {
    this.add({ name: 'Default', slug: 'default' }, now, DEFAULT_WORKSPACE_ID)
  }

  /** Finds a workspace; the default one if no id is given. */
  find(id: string = DEFAULT_WORKSPACE_ID): Workspace | undefined {
    return this.#byId.get(id)
  }

  /** Gives all workspaces in the order of their creation. */
  all(): Workspace[] {
    return [...this.#byId.values()]
  }

  /** Adds a workspace. Whether the slug is free is for the caller to know. */
  add(seed: WorkspaceSeed, now: Date, id: string = randomUUID()): Workspace {
    const workspace: Workspace = {
      id,
      default_guardrail_id: randomUUID(),
      description: null,
      default_text_model: null,
      default_image_model: null,
      default_provider_sort: null,
      is_observability_io_logging_enabled: false,
      is_observability_broadcast_enabled: false,
      is_data_discount_logging_enabled: true,
      io_logging_sampling_rate: 1,
      io_logging_api_key_ids: null,
      include_byok_in_budgets: false,
      created_at: formatDate(now),
      updated_at: null,
      created_by: null,
      ...seed,
    }
    this.#byId.set(id, workspace)
    return workspace
  }
}
