# The application on docker/base.Dockerfile. One image for API and workers; the command says which.
ARG BASE=sluice-base:0.1.0

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY bench bench
COPY src src
RUN node scripts/build.mjs \
 && npm prune --omit=dev

FROM ${BASE}
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY scripts scripts
COPY converters converters
# A new volume takes its owner from here.
RUN mkdir -p /var/lib/sluice \
 && chown node:node /var/lib/sluice
# The user `node` of the base image, by number, so that the host knows it too.
USER 1000:1000
ENV NODE_ENV=production SLUICE_HOME=/var/lib/sluice/home VISUS_DATASETS=/var/lib/sluice/data
VOLUME /var/lib/sluice
# The build is whole: the bootstrap of scripts/sluice.mjs has nothing to do here.
ENTRYPOINT ["node", "dist/src/cli/main.js"]
CMD ["--help"]
