import type { OriginView } from '../admin/views.ts';

/** Why a source is not connected, without its name and address, which its log needs in front of it. */
export function originProblem({ name, address, connection }: OriginView): string {
  const prefix = `source ${name} (${address?.replace('mcp://', '')}): `;
  return (connection.lastError ?? connection.state).replace(prefix, '');
}
