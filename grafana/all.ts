import type { DashboardSpec } from './dashboard.ts';
import { migration } from './migration.ts';
import { oldMcp } from './old-mcp.ts';
import { overview } from './overview.ts';
import { runtime } from './runtime.ts';
import { source } from './source.ts';
import { stream } from './stream.ts';

/** Every dashboard; each is a file of its `uid` in dashboards/. */
export const dashboards: readonly DashboardSpec[] = [overview, migration, source, stream, runtime, oldMcp];
