import type { Ledger } from '../../db/ledger.js'
import { UsageError } from '../core/errors.js'
import type { OpenRouter, Workspace } from '../openrouter/client.js'

/**
 * Chooses the workspace that a run is about: the one that is named, else the ledger's. A ledger is about one
 * workspace: with a listing of another one, its keys would look gone, and everybody would get a second key. A key that
 * was being made when a run ended would look as if it had never come to be.
 * @param words a workspace's name, slug or id; undefined where none is named
 * @throws UsageError `no_such_workspace`, `other_workspace`; OpenRouterError
 */
export async function chooseWorkspace(
  openRouter: OpenRouter,
  ledger: Ledger,
  words: string | undefined,
): Promise<void> {
  const ours = await ledger.workspace()
  if (words === undefined) {
    openRouter.workspaceId = ours?.id
    return
  }
  const chosen = findWorkspace(await openRouter.workspaces(), words)
  if (chosen.id !== ours?.id) {
    const where = ours ? `the workspace ${ours.name}` : "the account's default workspace"
    if ((await ledger.hashesThere()).length > 0) {
      throw new UsageError(
        'other_workspace',
        `${ledger.path} holds keys of ${where}, and not of ${chosen.name}. Each workspace has a ledger of its own: name another with --db, or leave --workspace out.`,
      )
    }
    if ((await ledger.unsettledCreations()).length > 0) {
      throw new UsageError(
        'other_workspace',
        `${ledger.path} is in doubt about a key that was being made in ${where}, and not in ${chosen.name}. Run class-keys provision without --workspace, which settles that, or name another ledger with --db.`,
      )
    }
    await ledger.setWorkspace({ id: chosen.id, name: chosen.name })
  }
  openRouter.workspaceId = chosen.id
}

function findWorkspace(workspaces: readonly Workspace[], words: string): Workspace {
  const exact = workspaces.find(({ id, slug }) => id === words || slug === words)
  const named = workspaces.filter(({ name }) => name.toLowerCase() === words.toLowerCase())
  const [found, ...others] = exact ? [exact] : named
  if (found && others.length === 0) return found
  const slugs = (found ? named : workspaces).map(({ name, slug }) => `${name} (${slug})`).join(', ')
  throw new UsageError(
    'no_such_workspace',
    found
      ? `${named.length} workspaces are called ${words}: name one by its slug: ${slugs}.`
      : `There is no workspace ${words}. There are: ${slugs}.`,
  )
}
