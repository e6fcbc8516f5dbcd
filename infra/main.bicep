// All resources of TimeTracker, in one resource group; azd deploys them with main.parameters.json. No registry modules.
targetScope = 'subscription'

@description('Name of the azd environment; each has a resource group of its own')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Azure region of everything')
@minLength(1)
param location string

@description('Object id and name of the Entra group or person that administers the database; deployment must be in it')
param sqlAdminObjectId string
param sqlAdminName string
@allowed(['Application', 'Group', 'User'])
param sqlAdminType string = 'Group'

@description('E-mail address for alerts')
param alertEmail string

@description('Budget of the resource group per month, in the currency of the subscription')
param monthlyBudget int = 200
@description('First day of the month in which the budget begins, as 2026-12-01')
param budgetStart string

@description('Most instances at once, and how large each is')
param maximumInstanceCount int = 40
param instanceMemoryMB int = 2048
@description('Instances kept warm, so that nobody waits for a cold start')
param alwaysReadyInstances int = 0

@description('Database: most and least vCores; it is never paused, since a job runs every five minutes')
param sqlMaxCores int = 2
param sqlMinCores string = '0.5'

@description('Application settings without defaults; described in docs/deployment.md')
param entraApiClientId string
param entraClientIds string
param corsAllowedOrigins string
param internalTenantIds string = ''
param marketplaceTenantId string = ''
param marketplaceClientId string = ''
@secure()
param marketplaceClientSecret string = ''
param marketplaceMeteringDimension string = ''
param marketplaceOffers string = ''
@description('Address by which browsers reach the app, like https://timetracker.example.com; the app\'s own when empty')
param publicUrl string = ''
param landingClientId string = ''
@secure()
param landingClientSecret string = ''
@description('Who issues the usage statements: the company, its postal address, and where customers ask about one')
@minLength(1)
param vendorName string
@minLength(1)
param vendorAddress string
@minLength(1)
param vendorContact string
param trialDays string = '30'
param trialUserLimit string = '5'

var tags = { 'azd-env-name': environmentName }

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module resources 'resources.bicep' = {
  name: 'resources'
  scope: group
  params: {
    location: location
    token: toLower(uniqueString(subscription().id, environmentName, location))
    tags: tags
    sqlAdminObjectId: sqlAdminObjectId
    sqlAdminName: sqlAdminName
    sqlAdminType: sqlAdminType
    sqlMaxCores: sqlMaxCores
    sqlMinCores: sqlMinCores
    alertEmail: alertEmail
    monthlyBudget: monthlyBudget
    budgetStart: budgetStart
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReadyInstances: alwaysReadyInstances
    entraApiClientId: entraApiClientId
    entraClientIds: entraClientIds
    corsAllowedOrigins: corsAllowedOrigins
    internalTenantIds: internalTenantIds
    marketplaceTenantId: marketplaceTenantId
    marketplaceClientId: marketplaceClientId
    marketplaceClientSecret: marketplaceClientSecret
    marketplaceMeteringDimension: marketplaceMeteringDimension
    marketplaceOffers: marketplaceOffers
    publicUrl: publicUrl
    landingClientId: landingClientId
    landingClientSecret: landingClientSecret
    vendorName: vendorName
    vendorAddress: vendorAddress
    vendorContact: vendorContact
    trialDays: trialDays
    trialUserLimit: trialUserLimit
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = resources.outputs.functionAppName
output FUNCTION_APP_URL string = resources.outputs.functionAppUrl
output DATABASE_URL string = resources.outputs.databaseUrl
output IDENTITY_NAME string = resources.outputs.identityName
output IDENTITY_CLIENT_ID string = resources.outputs.identityClientId
output SQL_SERVER string = resources.outputs.sqlServer
output SQL_DATABASE string = resources.outputs.sqlDatabase
