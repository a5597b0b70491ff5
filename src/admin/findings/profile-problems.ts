import type { OriginView } from '../views.ts';

/** Sources that lose services as long as their profile is not set. */
export function profileProblems(origins: readonly OriginView[]): string[] {
  return origins.flatMap(({ name, profile }) =>
    profile?.notInForce.includes('state') === true
      ? [
          `source ${name} looks like ${profile.looksLike}, which sends only what has changed: set its profile, or services are lost`,
        ]
      : [],
  );
}
